import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.net.URI
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread

/** Stands between app and server; what passes through it can be cut. */
class Proxy(server: String) : AutoCloseable {
    private val target = URI(server)
    private val listener = ServerSocket(0, 16, InetAddress.getLoopbackAddress())
    private val sockets = CopyOnWriteArrayList<Socket>()

    /** Connections that have come so far. */
    val accepted = AtomicInteger()
    val url = "http://127.0.0.1:${listener.localPort}"

    init {
        thread(isDaemon = true, name = "proxy") {
            while (!listener.isClosed) runCatching { connect(listener.accept()) }
        }
    }

    private fun connect(near: Socket) {
        accepted.incrementAndGet()
        val far = Socket(target.host, target.port)
        sockets += listOf(near, far)
        for ((from, to) in listOf(near to far, far to near)) {
            thread(isDaemon = true) {
                runCatching { from.getInputStream().transferTo(to.getOutputStream()) }
                to.close()
            }
        }
    }

    /** Ends every connection there is; new ones are let through. */
    fun cut() {
        sockets.forEach(Socket::close)
        sockets.clear()
    }

    override fun close() {
        listener.close()
        cut()
    }
}
