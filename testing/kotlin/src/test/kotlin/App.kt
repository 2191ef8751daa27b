import io.github.jmrtc.core.AudioBackend
import io.github.jmrtc.core.Engine
import io.github.jmrtc.core.EngineConfig
import io.github.jmrtc.core.Message
import io.github.jmrtc.core.PlatformAction
import io.github.jmrtc.core.PlatformEvent
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse.BodyHandlers
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/** Longest wait for anything that must happen. */
const val PATIENCE_MS = 20_000L

/** The failure callback's value. */
class Failed(val error: JsonObject) : Exception(error.toString()) {
    val code get() = error.getValue("code").jsonPrimitive.content.toInt()
    val name get() = error.getValue("name").jsonPrimitive.content
}

/**
 * What a bridge is to an engine, and the app behind it: two loops, replies to whom they belong. Grants the
 * microphone as [microphone] says; everything the app sees goes to [events], the system to [actions].
 */
class App(val user: String, audio: AudioBackend = AudioBackend.Silent, val microphone: Boolean = true) : AutoCloseable {
    val engine = Engine.start(EngineConfig(deviceId = "jvm-$user", serverUrl = Server.url, audio = audio))
    val events = Channel<JsonObject>(Channel.UNLIMITED)
    val actions = Channel<PlatformAction>(Channel.UNLIMITED)

    /** Replies as `accept` or `accept 871103`, events as their names, in the order of the loop. */
    val diary: MutableList<String> = java.util.Collections.synchronizedList(mutableListOf())

    private val pending = ConcurrentHashMap<String, Pair<String, CompletableDeferred<JsonElement>>>()
    private val calls = AtomicInteger()

    // Many threads on purpose: the order must come from the loop alone.
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    val loops = listOf(
        scope.launch {
            while (true) {
                when (val message = engine.nextMessage() ?: break) {
                    is Message.Reply -> {
                        val (method, waiting) = pending.remove(message.id) ?: error("a second reply: $message")
                        val value = Json.parseToJsonElement(message.json)
                        if (message.ok) {
                            diary += method
                            waiting.complete(value)
                        } else {
                            val failed = Failed(value.jsonObject)
                            diary += "$method ${failed.code}"
                            waiting.completeExceptionally(failed)
                        }
                    }
                    is Message.Event -> {
                        val event = Json.parseToJsonElement(message.json).jsonObject
                        // They depend on what is said and on the machine, not on what is done.
                        if (event.name !in setOf("CallActiveSpeakers", "CallQuality")) {
                            diary += event.name
                            events.send(event)
                        }
                    }
                }
            }
            events.close()
        },
        scope.launch {
            while (true) {
                val action = engine.nextPlatformAction() ?: break
                if (action is PlatformAction.RequestMicrophone) {
                    engine.platformEvent(PlatformEvent.Microphone(microphone))
                }
                actions.send(action)
            }
            actions.close()
        },
    )

    /** Calls a method of `window.JMRTC`. */
    suspend fun call(method: String, args: String = ""): JsonElement {
        val id = "$method-${calls.incrementAndGet()}"
        val waiting = CompletableDeferred<JsonElement>()
        pending[id] = method to waiting
        check(engine.command(id, method, args)) { "$method after the end" }
        return withTimeoutOrNull(PATIENCE_MS) { waiting.await() } ?: error("$user: $method was never answered")
    }

    /** Calls a method that must fail; the failure's number. */
    suspend fun fails(method: String, args: String = ""): Int = try {
        val value = call(method, args)
        throw AssertionError("$user: $method $args succeeded with $value")
    } catch (failed: Failed) {
        failed.code
    }

    suspend fun login() = call("login", """{"token":"${Server.token(user)}"}""")

    /** As far as an app is when it waits for calls. */
    suspend fun ready(): App {
        login()
        call("initEngine")
        diary.clear()
        return this
    }

    /** The next event, which must be [name]; its payload. */
    suspend fun expect(name: String): JsonObject {
        val event = withTimeoutOrNull(PATIENCE_MS) { events.receive() } ?: error("$user: no $name; had $diary")
        check(event.name == name) { "$user: ${event.name} in place of $name: $diary" }
        return event.getValue("payload").jsonObject
    }

    /** The next thing for the system of this kind; others before it are passed over. */
    suspend inline fun <reified A : PlatformAction> action(): A = withTimeoutOrNull(PATIENCE_MS) {
        var action = actions.receive()
        while (action !is A) action = actions.receive()
        action
    } ?: error("$user: no ${A::class.simpleName}")

    suspend fun stop() {
        engine.stop()
        withTimeout(PATIENCE_MS) { loops.joinAll() }
        check(pending.isEmpty()) { "$user: never answered: ${pending.keys}" }
    }

    override fun close() = engine.close()
}

val JsonObject.name get() = getValue("name").jsonPrimitive.content

fun JsonObject.text(key: String) = getValue(key).jsonPrimitive.content

/** The usernames in a session's list of members. */
fun JsonObject.members(key: String) = getValue(key).jsonArray.map { it.jsonObject.text("username") }

/** The `jmrtc-server --dev` that the script has started. */
object Server {
    val url: String = System.getProperty("jmrtc.server") ?: error("run `npm run test:kotlin`")

    fun token(user: String): String {
        val request = HttpRequest.newBuilder(URI("$url/v1/dev/token"))
            .header("content-type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString("""{"user":"$user"}"""))
            .build()
        val answer = HttpClient.newHttpClient().send(request, BodyHandlers.ofString())
        check(answer.statusCode() == 200) { "no token for $user: ${answer.statusCode()} ${answer.body()}" }
        return Json.parseToJsonElement(answer.body()).jsonObject.text("token")
    }
}
