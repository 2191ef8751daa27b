import type {
  ActiveSpeakersPayload, CallQuality, DisconnectPayload, ErrorPayload, Event, Failure, LeavePayload, MutedPayload,
  OthersInvitedPayload, PreflightReport, Session, State, User,
} from './generated/model.js'
import type { FailedUser, PastCall, PastMember, ProfileChange, RelationChange } from './generated/wire.js'

export type * from './generated/model.js'
export type { FailedUser, PastCall, PastMember, ProfileChange, RelationChange }

/** The name of an event, e.g. `CallConnected`. */
export type EventName = Event['name']

/** What a listener of the event `N` gets. */
export type Payload<N extends EventName> = Extract<Event, { name: N }>['payload']

/** Called once for each event, in order. */
export type Listener<N extends EventName> = (payload: Payload<N>) => void

/** Removes the listener that was added. */
export type RemoveListener = () => void

/** Called with the result when a method succeeds. Exactly one of this and {@link OnFailure} is called, once. */
export type OnSuccess<T> = (result: T) => void

/** Called when a method fails. With it given, the promise may be ignored: no unhandled rejection is raised. */
export type OnFailure = (failure: Failure) => void

/** A success without anything to tell. */
export type Nothing = Record<string, never>

/** How to sign in. */
export interface LoginParams {
  /** A JWT that your backend made: HS256 with the app secret, `iss` = app key, `sub` = username, `exp`. */
  token: string
  /** The server's `https:` or `wss:` address. Default: the plugin preference `JMRTC_SERVER_URL`, else where the page comes from. */
  serverUrl?: string
}

/** Who is signed in. */
export interface LoginResult {
  /** The user's name within the app. */
  username: string
  /** The app that the user belongs to. */
  appKey: string
}

/** Whom to call or to invite. */
export interface UsersParams {
  /** Usernames. A repeated one counts once; oneself is dropped and comes back in `failed`. */
  usernames: string[]
}

/** The call that was created, and who could not be called. */
export type StartResult = Session & {
  /** Who could not be called, and why. */
  failed: FailedUser[]
}

/** What came of an invitation. */
export interface InviteResult {
  /** Who is being rung now. */
  invited: string[]
  /** Who could not be invited, and why. */
  failed: FailedUser[]
}

/** Whose profiles to get. */
export interface UserInfoParams {
  /** Usernames, at most 40. A repeated one counts once; one's own is as good as any. */
  usernames: string[]
}

/** Who the named users are. */
export interface UserInfoResult {
  /** In the order asked for, each with what the signed-in user keeps about it. */
  users: User[]
  /** Who does not exist. */
  failed: FailedUser[]
}

/** What to keep about another user; what is left out stays as it is. */
export interface RelationParams extends RelationChange {
  /** About whom. */
  username: string
}

/** Which of them. */
export interface RelationsParams {
  /** Only those whose name comes after this one: the `username` of the last one seen. */
  after?: string
  /** How many at most, 1 to 40. Default: 40. */
  limit?: number
}

/** About whom the signed-in user keeps something. */
export interface RelationsResult {
  /** By username, each with what is kept. */
  users: User[]
  /** There are others after them. */
  more: boolean
}

/** Which calls. */
export interface HistoryParams {
  /** Only calls older than this one: the `channelId` of the last one seen. */
  before?: string
  /** How many at most, 1 to 100. Default: 20. */
  limit?: number
}

/** Calls that are over. */
export interface HistoryResult {
  /** Newest first. */
  calls: PastCall[]
  /** There are older ones. */
  more: boolean
}

/** How the running call's sound is doing. Numbers count from the start of the media link; all 0 without one. */
export interface CallStats {
  /** Loudness of what the microphone sends, 0 to 1; 0 while muted. */
  levelIn: number
  /** Loudness of what is heard, 0 to 1. */
  levelOut: number
  /** Audio packets sent. */
  packetsSent: number
  /** Audio packets received. */
  packetsReceived: number
  /** Audio packets that never arrived. */
  packetsLost: number
  /** Share of our packets that the server did not get lately, 0 to 1. */
  lossUp: number
  /** Share of packets meant for us that did not arrive lately, 0 to 1. */
  lossDown: number
  /** Unevenness of arrivals (RFC 3550), the worst stream's, milliseconds. */
  jitterMs: number
  /** Milliseconds to the server and back; 0 while unknown. */
  roundTripMs: number
  /** Milliseconds that received sound waits in the jitter buffer, on average. */
  bufferMs: number
  /** Estimated mean opinion score of the last second, 1 (bad) to 4.5, by the E-model (ITU-T G.107); 0 while unknown. */
  mos: number
  /** What carries the sound; null before the link is up. */
  transport: 'udp' | 'tcp' | null
}

/** How to test whether a call would work. */
export interface PreflightParams {
  /** How long to measure, a whole number from 1 to 30. Default: 5. */
  seconds?: number
}

/**
 * Voice calls: `window.JMRTC`.
 *
 * Every method takes a success and a failure callback, both optional, and returns a promise as well. Exactly one of
 * the two callbacks is called, once. A method's answer comes before any event that it causes.
 */
export interface JmrtcApi {
  /** Does nothing and succeeds. The original plugin needed it; it may be repeated. */
  init(success?: OnSuccess<Nothing>, failure?: OnFailure): Promise<Nothing>

  /** Signs in. Calls can come in from now on. *Ours, not the original's.* */
  login(params: LoginParams, success?: OnSuccess<LoginResult>, failure?: OnFailure): Promise<LoginResult>

  /** Signs out; ends the call first, if there is one. *Ours.* */
  logout(success?: OnSuccess<Nothing>, failure?: OnFailure): Promise<Nothing>

  /** Hands in a fresh token before the old one expires; drops neither call nor connection. *Ours.* */
  updateToken(params: { token: string }, success?: OnSuccess<Nothing>, failure?: OnFailure): Promise<Nothing>

  /**
   * Asks for the microphone permission and prepares the audio. Needs {@link login}; calls need this. A repeated call
   * succeeds at once. The microphone stays closed until a call is dialled or accepted.
   */
  initEngine(success?: OnSuccess<undefined>, failure?: OnFailure): Promise<undefined>

  /** Hangs up, if there is a call, and closes the audio devices. A later {@link initEngine} works again. */
  releaseEngine(success?: OnSuccess<Nothing>, failure?: OnFailure): Promise<Nothing>

  /**
   * Calls users. Succeeds when the server has created the call, not when someone answers. A call that came back with this
   * life of the app, and that nobody has taken up, is left first: its `CallDisconnect` comes before the answer.
   */
  startCallUsers(params: UsersParams, success?: OnSuccess<StartResult>, failure?: OnFailure): Promise<StartResult>

  /** Accepts the incoming call. Succeeds when we are a member; `CallConnected` tells when sound flows. */
  accept(success?: OnSuccess<Nothing>, failure?: OnFailure): Promise<Nothing>

  /** Ends whatever call there is, ringing or running. Succeeds also when there is none. */
  hangup(success?: OnSuccess<Nothing>, failure?: OnFailure): Promise<Nothing>

  /** Refuses the incoming call. */
  refuse(success?: OnSuccess<Nothing>, failure?: OnFailure): Promise<Nothing>

  /** Invites more users into the connected call. Any joined member may. */
  inviteUsers(params: UsersParams, success?: OnSuccess<InviteResult>, failure?: OnFailure): Promise<InviteResult>

  /** Whether the microphone is muted. */
  isMuted(success?: OnSuccess<boolean>, failure?: OnFailure): Promise<boolean>

  /** Mutes or unmutes the microphone. Muted, no sound of the person leaves the device. */
  setIsMuted(params: { muted: boolean }, success?: OnSuccess<Nothing>, failure?: OnFailure): Promise<Nothing>

  /** Whether the loudspeaker is on. In browsers it is only remembered: the browser chooses the output. */
  isSpeakerphoneEnabled(success?: OnSuccess<boolean>, failure?: OnFailure): Promise<boolean>

  /** Routes the sound to the loudspeaker or to the earpiece. In browsers it is only remembered. */
  setIsSpeakerphoneEnabled(
    params: { speakerphoneEnabled: boolean }, success?: OnSuccess<Nothing>, failure?: OnFailure,
  ): Promise<Nothing>

  /** All that a page needs to draw itself again after a reload: sign-in, engine, call. *Ours.* */
  getState(success?: OnSuccess<State>, failure?: OnFailure): Promise<State>

  /** Levels and packet counts of the running call; cheap enough for ten times a second. *Ours.* */
  getStats(success?: OnSuccess<CallStats>, failure?: OnFailure): Promise<CallStats>

  /** Profiles of up to 40 users, as the signed-in user sees them. Needs {@link login}. *Ours.* */
  getUserInfo(
    params: UserInfoParams, success?: OnSuccess<UserInfoResult>, failure?: OnFailure,
  ): Promise<UserInfoResult>

  /** Changes the signed-in user's own profile; what is left out stays as it is. Succeeds with what it is now. *Ours.* */
  updateMyInfo(params: ProfileChange, success?: OnSuccess<User>, failure?: OnFailure): Promise<User>

  /**
   * Changes what the signed-in user keeps about another: a note, the blacklist (its calls never reach us), no-disturb
   * (they don't ring). What is left out stays as it is. Succeeds with the other user as we see it now. *Ours.*
   */
  updateRelation(params: RelationParams, success?: OnSuccess<User>, failure?: OnFailure): Promise<User>

  /** About whom the signed-in user keeps something, by username: the blacklist, for one, is those with `isInBlackList`. *Ours.* */
  getRelations(
    params?: RelationsParams, success?: OnSuccess<RelationsResult>, failure?: OnFailure,
  ): Promise<RelationsResult>

  /** The signed-in user's calls that are over, newest first, as it saw them. *Ours.* */
  getCallHistory(
    params?: HistoryParams, success?: OnSuccess<HistoryResult>, failure?: OnFailure,
  ): Promise<HistoryResult>

  /**
   * Finds out whether a call would work now and how it would sound: sign-in, microphone, media over UDP and TCP, round
   * trip, loss, jitter. Takes `seconds` and a few more. Needs {@link initEngine} and no call. The microphone is open
   * meanwhile, what it hears goes to the server and back and is not played; nobody is called. A call that comes in or
   * is started ends it with ALREADY_IN_CALL, {@link hangup} with INVALID_STATE. *Ours.*
   */
  preflight(params?: PreflightParams, success?: OnSuccess<PreflightReport>, failure?: OnFailure): Promise<PreflightReport>

  /**
   * Adds a listener by the event's name; the same as the event's own `add…Listener`. *Ours.*
   * @returns removes the listener
   */
  on<N extends EventName>(name: N, listener: Listener<N>): RemoveListener

  /** Removes a listener by the event's name. *Ours.* */
  off<N extends EventName>(name: N, listener: Listener<N>): void

  /** We called: the server has sent the invitations. Adding the same listener twice calls it once. @returns removes it */
  addCallOutgoingListener(listener: (session: Session) => void): RemoveListener
  /** Removes a listener of `CallOutgoing`. */
  removeCallOutgoingListener(listener: (session: Session) => void): void

  /** Someone calls us: show it, then {@link accept} or {@link refuse}. Where `session.silent` is set, don't ring. @returns removes it */
  addCallReceiveInviteListener(listener: (session: Session) => void): RemoveListener
  /** Removes a listener of `CallReceiveInvite`. */
  removeCallReceiveInviteListener(listener: (session: Session) => void): void

  /** The call was accepted, here or there; sound is being set up. @returns removes it */
  addCallConnectingListener(listener: (session: Session) => void): RemoveListener
  /** Removes a listener of `CallConnecting`. */
  removeCallConnectingListener(listener: (session: Session) => void): void

  /** Sound can flow. Once per call. @returns removes it */
  addCallConnectedListener(listener: (session: Session) => void): RemoveListener
  /** Removes a listener of `CallConnected`. */
  removeCallConnectedListener(listener: (session: Session) => void): void

  /** A member is in the call. @returns removes it */
  addCallMemberJoinListener(listener: (user: User) => void): RemoveListener
  /** Removes a listener of `CallMemberJoin`. */
  removeCallMemberJoinListener(listener: (user: User) => void): void

  /** A joined or ringing member is gone, and why. @returns removes it */
  addCallMemberLeaveListener(listener: (gone: LeavePayload) => void): RemoveListener
  /** Removes a listener of `CallMemberLeave`. */
  removeCallMemberLeaveListener(listener: (gone: LeavePayload) => void): void

  /** The call is over for us, and why. Once per call, always its last event. @returns removes it */
  addCallDisconnectListener(listener: (end: DisconnectPayload) => void): RemoveListener
  /** Removes a listener of `CallDisconnect`. */
  removeCallDisconnectListener(listener: (end: DisconnectPayload) => void): void

  /** Another member invited someone into the running call. @returns removes it */
  addCallOtherUserInvitedListener(listener: (invitation: OthersInvitedPayload) => void): RemoveListener
  /** Removes a listener of `CallOtherUserInvited`. */
  removeCallOtherUserInvitedListener(listener: (invitation: OthersInvitedPayload) => void): void

  /** A member muted or unmuted the microphone; who was before is in `session.mutedMembers`. *Ours.* @returns removes it */
  addCallMemberMutedListener(listener: (muted: MutedPayload) => void): RemoveListener
  /** Removes a listener of `CallMemberMuted`. */
  removeCallMemberMutedListener(listener: (muted: MutedPayload) => void): void

  /** Others speak than before, oneself included; the first is the one to show. *Ours.* @returns removes it */
  addCallActiveSpeakersListener(listener: (speakers: ActiveSpeakersPayload) => void): RemoveListener
  /** Removes a listener of `CallActiveSpeakers`. */
  removeCallActiveSpeakersListener(listener: (speakers: ActiveSpeakersPayload) => void): void

  /** Something failed that no method can report. @returns removes it */
  addCallErrorListener(listener: (error: ErrorPayload) => void): RemoveListener
  /** Removes a listener of `CallError`. */
  removeCallErrorListener(listener: (error: ErrorPayload) => void): void

  /** The connection is lost; the call goes on and we try to come back. *Ours.* @returns removes it */
  addCallReconnectingListener(listener: (session: Session) => void): RemoveListener
  /** Removes a listener of `CallReconnecting`. */
  removeCallReconnectingListener(listener: (session: Session) => void): void

  /** The connection is back. *Ours.* @returns removes it */
  addCallReconnectedListener(listener: (session: Session) => void): RemoveListener
  /** Removes a listener of `CallReconnected`. */
  removeCallReconnectedListener(listener: (session: Session) => void): void

  /** The bars or the warnings of the connected call have changed; once a second at most. *Ours.* @returns removes it */
  addCallQualityListener(listener: (quality: CallQuality) => void): RemoveListener
  /** Removes a listener of `CallQuality`. */
  removeCallQualityListener(listener: (quality: CallQuality) => void): void
}
