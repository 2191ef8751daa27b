import io.github.jmrtc.core.AudioBackend
import io.github.jmrtc.core.PlatformAction
import io.github.jmrtc.core.PlatformEvent
import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long

/** Real calls through a real server. The order of everything is that of docs/call-semantics.md, section 5. */
class CallTest {
    private val out = System.getProperty("jmrtc.out")

    private fun speech(who: String) = AudioBackend.Wav(
        play = System.getProperty("jmrtc.speech.$who"),
        record = "$out/$who-heard.wav",
        repeat = false,
    )

    private suspend fun hangUpBoth(caller: App, callee: App) {
        caller.call("hangup")
        assertEquals("hangup", caller.expect("CallDisconnect").text("reason"))
        callee.expect("CallMemberLeave")
        assertEquals("hangup", callee.expect("CallDisconnect").text("reason"))
    }

    /** The script compares what was heard with what was said. */
    @Test
    fun `two engines talk to each other`() = runBlocking {
        App("alice", speech("alice")).use { alice ->
            App("bob", speech("bob")).use { bob ->
                alice.ready()
                bob.ready()
                val session = alice.call("startCallUsers", """{"usernames":["bob"]}""").jsonObject
                assertEquals(listOf("bob"), session.members("invitingMembers"))
                assertEquals(listOf("alice"), session.members("joinedMembers"))
                assertTrue(session.getValue("failed").jsonArray.isEmpty())
                alice.expect("CallOutgoing")

                val rung = bob.expect("CallReceiveInvite")
                assertEquals(session.text("channelId"), rung.text("channelId"))
                val shown = bob.action<PlatformAction.ShowIncoming>().call
                assertEquals(session.text("channelId"), shown.channelId)
                assertEquals(listOf("alice" to "alice"), shown.people.map { it.username to it.displayName })
                bob.call("accept")
                val dismissed = bob.action<PlatformAction.DismissIncoming>()
                assertEquals(shown.channelId to shown.stay, dismissed.channelId to dismissed.stay)
                val started = bob.action<PlatformAction.CallStarted>().call
                assertEquals(shown.stay, started.stay)
                assertEquals(listOf("alice"), started.people.map { it.username })
                assertEquals(listOf("bob"), alice.action<PlatformAction.CallStarted>().call.people.map { it.username })

                assertEquals(listOf("alice", "bob"), alice.expect("CallConnecting").members("joinedMembers"))
                assertEquals("bob", alice.expect("CallMemberJoin").text("username"))
                bob.expect("CallConnecting")
                assertEquals("alice", bob.expect("CallMemberJoin").text("username"))
                val since = alice.expect("CallConnected").getValue("startTime").jsonPrimitive.long
                assertTrue(since > 0)
                assertEquals(since, bob.expect("CallConnected").getValue("startTime").jsonPrimitive.long)

                // The sentences take about five seconds, in real time.
                delay(System.getProperty("jmrtc.speech.ms").toLong())
                hangUpBoth(alice, bob)
                assertEquals(session.text("channelId"), alice.action<PlatformAction.CallEnded>().channelId)

                val caller = "startCallUsers CallOutgoing CallConnecting CallMemberJoin CallConnected hangup CallDisconnect"
                assertEquals(caller, alice.diary.joinToString(" "))
                val callee = "CallReceiveInvite accept CallConnecting CallMemberJoin CallConnected CallMemberLeave CallDisconnect"
                assertEquals(callee, bob.diary.joinToString(" "))
                alice.stop()
                bob.stop()
                for (who in listOf("alice", "bob")) assertTrue(File("$out/$who-heard.wav").length() > 100_000, who)
            }
        }
    }

    @Test
    fun `the system's call screen answers, and ends`() = runBlocking {
        App("carol").use { carol ->
            App("dave").use { dave ->
                carol.ready()
                dave.ready()
                carol.call("startCallUsers", """{"usernames":["dave"]}""")
                carol.expect("CallOutgoing")
                dave.expect("CallReceiveInvite")
                val shown = dave.action<PlatformAction.ShowIncoming>().call
                // At the screen of another stay: nothing comes of it.
                dave.engine.platformEvent(PlatformEvent.Declined(shown.channelId, shown.stay + 1u))
                dave.engine.platformEvent(PlatformEvent.Answered(shown.channelId, shown.stay))
                for (app in listOf(carol, dave)) {
                    app.expect("CallConnecting")
                    app.expect("CallMemberJoin")
                    app.expect("CallConnected")
                }
                dave.engine.platformEvent(PlatformEvent.NetworkChanged)
                dave.engine.platformEvent(PlatformEvent.Declined(shown.channelId, shown.stay))
                assertEquals("hangup", carol.expect("CallMemberLeave").text("reason"))
                carol.expect("CallDisconnect")
                // A changed network may have been noticed before the end.
                var last = dave.events.receive()
                while (last.name.startsWith("CallReconnect")) last = dave.events.receive()
                assertEquals("CallDisconnect", last.name)
                carol.stop()
                dave.stop()
            }
        }
    }

    @Test
    fun `a call is refused`() = runBlocking {
        App("erin").use { erin ->
            App("frank").use { frank ->
                erin.ready()
                frank.ready()
                erin.call("startCallUsers", """{"usernames":["frank"]}""")
                erin.expect("CallOutgoing")
                frank.expect("CallReceiveInvite")
                assertEquals(ALREADY_IN_CALL, erin.fails("startCallUsers", """{"usernames":["frank"]}"""))
                assertEquals(INVALID_STATE, erin.fails("accept"))
                assertEquals(INVALID_STATE, erin.fails("inviteUsers", """{"usernames":["echo"]}"""))
                frank.call("refuse")
                assertEquals("refuse", frank.expect("CallDisconnect").text("reason"))
                assertEquals("refuse", erin.expect("CallMemberLeave").text("reason"))
                assertEquals("refuse", erin.expect("CallDisconnect").text("reason"))
                assertEquals("CallReceiveInvite refuse CallDisconnect", frank.diary.joinToString(" "))
                erin.stop()
                frank.stop()
            }
        }
    }

    @Test
    fun `a third is invited into a call`() = runBlocking {
        App("grace").use { grace ->
            App("heidi").use { heidi ->
                grace.ready()
                heidi.ready()
                grace.call("startCallUsers", """{"usernames":["heidi","heidi","grace","nobody"]}""").jsonObject.let {
                    assertEquals(listOf("heidi"), it.members("invitingMembers"))
                    assertEquals(setOf("grace", "nobody"), it.members("failed").toSet())
                }
                grace.expect("CallOutgoing")
                heidi.expect("CallReceiveInvite")
                heidi.call("accept")
                for (app in listOf(grace, heidi)) {
                    app.expect("CallConnecting")
                    app.expect("CallMemberJoin")
                    app.expect("CallConnected")
                }
                val result = heidi.call("inviteUsers", """{"usernames":["echo","nobody"]}""").jsonObject
                assertEquals(listOf("echo"), result.getValue("invited").jsonArray.map { it.jsonPrimitive.content })
                assertEquals(listOf("nobody"), result.members("failed"))
                val others = grace.expect("CallOtherUserInvited")
                assertEquals(listOf("echo"), others.members("invitedUsers"))
                assertEquals("heidi", others.getValue("fromUser").jsonObject.text("username"))
                for (app in listOf(grace, heidi)) assertEquals("echo", app.expect("CallMemberJoin").text("username"))

                heidi.call("hangup")
                heidi.expect("CallDisconnect")
                grace.expect("CallMemberLeave")
                grace.call("hangup")
                grace.expect("CallDisconnect")
                grace.stop()
                heidi.stop()
            }
        }
    }
}
