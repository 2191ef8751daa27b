import android.app.Notification
import android.net.ConnectivityManager
import io.github.jmrtc.cordova.CallNotification
import io.github.jmrtc.cordova.DeviceId
import io.github.jmrtc.cordova.NetworkWatch
import io.github.jmrtc.core.CallInfo
import java.io.File
import kotlin.io.path.createTempDirectory
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNotEquals
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.robolectric.shadows.ShadowConnectivityManager

/** Parts by themselves. */
@RunWith(RobolectricTestRunner::class)
class SmallTest {
    private val context = RuntimeEnvironment.getApplication()

    @Test
    fun `people without a name are shown as the app`() {
        val shown = CallNotification(context).build(CallInfo("c1", 1u, emptyList(), false, 0)).extras.getString(Notification.EXTRA_TITLE)
        assertEquals(context.applicationInfo.loadLabel(context.packageManager).toString(), shown)
    }

    @Test
    fun `an installation keeps its name, and gets another where none is left`() {
        val folder = createTempDirectory().toFile()
        val file = File(folder, "jmrtc-device")
        val first = DeviceId.kept(folder)
        assertEquals(first, DeviceId.kept(folder))
        file.writeText("")
        val second = DeviceId.kept(folder)
        assertNotEquals(first, second)
        assertEquals(second, file.readText())
        assertEquals(listOf(file), folder.listFiles()?.toList())
        assertEquals(36, DeviceId.kept(File(folder, "not there")).length)
    }

    @Test
    @Config(shadows = [Refusing::class])
    fun `a network that may not be watched is not`() {
        val watch = NetworkWatch(context) {}
        watch.start()
        watch.stop()
    }

    /** As Android 11 at times. */
    @Implements(ConnectivityManager::class)
    class Refusing : ShadowConnectivityManager() {
        @Implementation
        override fun registerDefaultNetworkCallback(callback: ConnectivityManager.NetworkCallback) =
            throw SecurityException("Package android does not belong to 10273")
    }
}
