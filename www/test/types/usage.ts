// Compiled, never run: every member of the API used as an app uses it, with the types that the package ships.
import {
  ErrorCode, JMRTC, JmrtcError, type ActiveSpeakersPayload, type CallQuality, type CallStats, type DisconnectPayload, type Failure,
  type JmrtcApi, type MutedPayload, type PreflightReport, type Session, type State, type User,
} from 'cordova-plugin-jmrtc'

/** Fails to compile unless `A` and `B` are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_: Same<A, B>): void {}

const onFailure = (failure: Failure): void => console.log(failure.code, failure.name, failure.description)

export async function promises(): Promise<void> {
  await JMRTC.init()
  const { username, appKey }: { username: string; appKey: string } = await JMRTC.login({ token: 't', serverUrl: 'https://calls.example.org' })
  await JMRTC.updateToken({ token: username + appKey })
  same<Awaited<ReturnType<typeof JMRTC.initEngine>>, undefined>(true)
  await JMRTC.initEngine()
  const started = await JMRTC.startCallUsers({ usernames: ['bob'] })
  const id: string = started.channelId
  for (const { username, name } of started.failed) console.log(id, username, name)
  await JMRTC.accept()
  await JMRTC.refuse()
  const { invited, failed } = await JMRTC.inviteUsers({ usernames: ['carol'] })
  console.log(invited.join(), failed.length)
  same<Awaited<ReturnType<typeof JMRTC.isMuted>>, boolean>(true)
  await JMRTC.setIsMuted({ muted: !(await JMRTC.isMuted()) })
  await JMRTC.setIsSpeakerphoneEnabled({ speakerphoneEnabled: !(await JMRTC.isSpeakerphoneEnabled()) })
  const state: State = await JMRTC.getState()
  if (state.login === 'loggedIn' && state.engine === 'ready' && state.call === 'connected') console.log(state.session?.startTime)
  const stats: CallStats = await JMRTC.getStats()
  console.log(stats.lossUp, stats.lossDown, stats.jitterMs, stats.mos, stats.transport === 'udp')
  const report: PreflightReport = await JMRTC.preflight({ seconds: 3 })
  for (const { name, ok, detail, value } of report.checks) console.log(report.ok, name === 'mediaUdp', ok, detail, value)
  const { quality } = state
  if (quality?.warnings.includes('silentMicrophone')) console.log(quality.score, quality.mos)
  console.log(stats.levelIn, stats.levelOut, stats.packetsSent, stats.packetsReceived, stats.packetsLost, stats.roundTripMs, stats.bufferMs)
  const { users, failed: unknown } = await JMRTC.getUserInfo({ usernames: ['bob'] })
  console.log(users[0]?.noteName, unknown[0]?.name)
  const me: User = await JMRTC.updateMyInfo({ nickname: 'Alice', extras: { team: 'red' } })
  const bob: User = await JMRTC.updateRelation({ username: 'bob', isInBlackList: true })
  const { users: kept, more: others } = await JMRTC.getRelations({ after: 'bob', limit: 5 })
  console.log(kept.filter(({ isInBlackList }) => isInBlackList), others, await JMRTC.getRelations())
  const { calls, more } = await JMRTC.getCallHistory({ before: id, limit: 5 })
  for (const { members, endTime, reason, detail } of calls) console.log(me, bob, members[0]?.user, members[0]?.joinTime, endTime, reason, detail, more)
  await JMRTC.getCallHistory()
  await JMRTC.hangup()
  await JMRTC.releaseEngine()
  await JMRTC.logout()
}

export function callbacks(): void {
  const done = (): void => {}
  void window.JMRTC.init(done, onFailure)
  void window.JMRTC.login({ token: 't' }, ({ username }) => console.log(username), onFailure)
  void window.JMRTC.logout(done, onFailure)
  void window.JMRTC.updateToken({ token: 't' }, done, onFailure)
  void window.JMRTC.initEngine(done, onFailure)
  void window.JMRTC.releaseEngine(done, onFailure)
  void window.JMRTC.startCallUsers({ usernames: ['bob'] }, ({ failed }) => console.log(failed), onFailure)
  void window.JMRTC.accept(done, onFailure)
  void window.JMRTC.hangup(done, onFailure)
  void window.JMRTC.refuse(done, onFailure)
  void window.JMRTC.inviteUsers({ usernames: ['bob'] }, ({ invited }) => console.log(invited), onFailure)
  void window.JMRTC.isMuted((muted) => same<typeof muted, boolean>(true))
  void window.JMRTC.setIsMuted({ muted: true }, done, onFailure)
  void window.JMRTC.isSpeakerphoneEnabled((enabled) => same<typeof enabled, boolean>(true))
  void window.JMRTC.setIsSpeakerphoneEnabled({ speakerphoneEnabled: true }, done, onFailure)
  void window.JMRTC.getState(({ session }) => console.log(session), onFailure)
  void window.JMRTC.getUserInfo({ usernames: ['bob'] }, ({ users }) => console.log(users), onFailure)
  void window.JMRTC.updateMyInfo({ gender: 'female' }, ({ gender }) => console.log(gender), onFailure)
  void window.JMRTC.updateRelation({ username: 'bob' }, ({ isFriend }) => console.log(isFriend), onFailure)
  void window.JMRTC.getRelations({}, ({ users }) => console.log(users), onFailure)
  void window.JMRTC.getCallHistory({}, ({ calls }) => console.log(calls), onFailure)
  void window.JMRTC.preflight({}, ({ ok }) => console.log(ok), onFailure)
  void window.JMRTC.getStats(({ levelIn }) => console.log(levelIn), onFailure)
}

export function listeners(): void {
  const ofSession = (session: Session): void => console.log(session.inviter.nickname, session.silent, session.invitedBy)
  const ofUser = (user: User): void => console.log(user.gender, user.extras['team'])
  const ofLeave = ({ user, reason, detail }: { user: User; reason: string; detail?: string }): void => console.log(user, reason, detail)
  const ofEnd = (end: DisconnectPayload): void => console.log(end.reason === 'hangup' || end.reason === 'busy', end.detail)
  const ofInvited = ({ invitedUsers, fromUser }: { invitedUsers: User[]; fromUser: User }): void => console.log(invitedUsers, fromUser)
  const ofMuted = ({ user, muted }: MutedPayload): void => console.log(user.nickname, muted)
  const ofSpeakers = ({ activeSpeakers: [first] }: ActiveSpeakersPayload): void => console.log(first?.username)
  const ofQuality = ({ score, mos, warnings }: CallQuality): void => console.log(score, mos, warnings[0] === 'oneWayAudio')
  const ofError = ({ code, description }: Failure): void => console.log(code, description)

  const removers: (() => void)[] = [
    JMRTC.addCallOutgoingListener(ofSession), JMRTC.addCallReceiveInviteListener(ofSession),
    JMRTC.addCallConnectingListener(ofSession), JMRTC.addCallConnectedListener(ofSession),
    JMRTC.addCallReconnectingListener(ofSession), JMRTC.addCallReconnectedListener(ofSession),
    JMRTC.addCallMemberJoinListener(ofUser), JMRTC.addCallMemberLeaveListener(ofLeave),
    JMRTC.addCallDisconnectListener(ofEnd), JMRTC.addCallOtherUserInvitedListener(ofInvited),
    JMRTC.addCallMemberMutedListener(ofMuted), JMRTC.addCallActiveSpeakersListener(ofSpeakers),
    JMRTC.addCallErrorListener(ofError), JMRTC.on('CallDisconnect', ofEnd),
    JMRTC.addCallQualityListener(ofQuality), JMRTC.on('CallQuality', ofQuality),
  ]
  for (const remove of removers) remove()
  JMRTC.removeCallOutgoingListener(ofSession)
  JMRTC.removeCallReceiveInviteListener(ofSession)
  JMRTC.removeCallConnectingListener(ofSession)
  JMRTC.removeCallConnectedListener(ofSession)
  JMRTC.removeCallReconnectingListener(ofSession)
  JMRTC.removeCallReconnectedListener(ofSession)
  JMRTC.removeCallMemberJoinListener(ofUser)
  JMRTC.removeCallMemberLeaveListener(ofLeave)
  JMRTC.removeCallDisconnectListener(ofEnd)
  JMRTC.removeCallOtherUserInvitedListener(ofInvited)
  JMRTC.removeCallMemberMutedListener(ofMuted)
  JMRTC.removeCallActiveSpeakersListener(ofSpeakers)
  JMRTC.removeCallErrorListener(ofError)
  JMRTC.removeCallQualityListener(ofQuality)
  JMRTC.off('CallDisconnect', ofEnd)
}

export async function failures(): Promise<void> {
  try {
    await JMRTC.accept()
  } catch (error) {
    if (error instanceof JmrtcError && error.code === ErrorCode.INVALID_STATE) console.log(error.description)
  }
}

export function refused(): void {
  // @ts-expect-error no token
  void JMRTC.login({})
  // @ts-expect-error one name is not a list
  void JMRTC.startCallUsers({ usernames: 'bob' })
  // @ts-expect-error no such event
  JMRTC.on('CallEnded', () => {})
  // @ts-expect-error the payload is a session
  JMRTC.addCallConnectedListener((user: User) => console.log(user))
}

export const fake: Pick<JmrtcApi, 'hangup'> = { hangup: () => Promise.resolve({}) }
