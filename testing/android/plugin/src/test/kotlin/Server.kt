import java.net.HttpURLConnection
import java.net.URI
import java.util.concurrent.CompletableFuture
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import org.json.JSONObject
import org.json.JSONTokener

/** The `jmrtc-server --dev` that the script has started. */
object Server {
    val url: String = System.getProperty("jmrtc.server") ?: error("run `npm run test:android`")

    fun token(user: String): String {
        val connection = URI("$url/v1/dev/token").toURL().openConnection() as HttpURLConnection
        connection.doOutput = true
        connection.setRequestProperty("content-type", "application/json")
        connection.outputStream.use { it.write("""{"user":"$user"}""".toByteArray()) }
        check(connection.responseCode == 200) { "no token for $user: ${connection.responseCode}" }
        return JSONObject(connection.inputStream.reader().readText()).getString("token")
    }
}

/** A real jmrtc-phone that is told on its standard input what to do. */
class Phone(private val user: String, vararg options: String) : AutoCloseable {
    private val process = ProcessBuilder(
        System.getProperty("jmrtc.phone"),
        "--server",
        Server.url,
        "--user",
        user,
        "--json",
        "--audio",
        "null",
        *options,
        "run",
    ).redirectError(ProcessBuilder.Redirect.DISCARD).start()
    private val events = LinkedBlockingQueue<JSONObject>()
    private val pending = ConcurrentHashMap<String, CompletableFuture<JSONObject>>()
    private val ready = CompletableFuture<Unit>()
    private var calls = 0

    init {
        thread(isDaemon = true, name = "phone $user") { process.inputReader().forEachLine(::heard) }
        ready.get(PATIENCE_MS, TimeUnit.MILLISECONDS)
    }

    private fun heard(line: String) {
        val message = JSONTokener(line).nextValue() as JSONObject
        val event = message.getString("event")
        when {
            event in setOf("CallActiveSpeakers", "CallQuality") -> Unit
            event.startsWith("Call") -> events += message
            event == "reply" && message.has("id") -> pending.remove(message.get("id").toString())?.complete(message)
            event == "reply" && message.getString("method") == "initEngine" -> ready.complete(Unit)
        }
    }

    /** Calls a method, which must succeed. */
    fun call(method: String, args: String = "null") {
        val id = "${++calls}"
        val answer = CompletableFuture<JSONObject>()
        pending[id] = answer
        process.outputWriter().apply { write("""{"id":$id,"method":"$method","args":$args}""" + "\n") }.flush()
        val reply = answer.get(PATIENCE_MS, TimeUnit.MILLISECONDS)
        check(!reply.has("error")) { "$user: $method: $reply" }
    }

    /** The next event, which must be [name]; its payload. */
    fun expect(name: String): JSONObject {
        val event = events.poll(PATIENCE_MS, TimeUnit.MILLISECONDS) ?: error("$user: no $name")
        check(event.getString("event") == name) { "$user: $event in place of $name" }
        return event.getJSONObject("payload")
    }

    /** It signs out at the end of its standard input, and its recording is complete. */
    override fun close() {
        process.outputWriter().close()
        check(process.waitFor(PATIENCE_MS, TimeUnit.MILLISECONDS)) { "$user does not end" }
    }
}
