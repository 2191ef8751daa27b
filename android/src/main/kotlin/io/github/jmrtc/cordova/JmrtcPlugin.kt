package io.github.jmrtc.cordova

import android.content.pm.PackageManager
import io.github.jmrtc.core.StartException
import org.apache.cordova.CallbackContext
import org.apache.cordova.CordovaPlugin
import org.json.JSONArray
import org.json.JSONException

/**
 * `exec(ok, fail, 'JMRTC', method, [jsonText])`: hands each method on to the engine, unread. The action `events` is no
 * method: its callback is kept and gets every event. One instance a WebView; the call outlives it in [CallSession].
 */
class JmrtcPlugin : CordovaPlugin() {
    private lateinit var page: Page

    override fun pluginInitialize() {
        page = Page(webView) { permission -> cordova.requestPermission(this, PERMISSION_REQUEST, permission) }
        CallSession.open(page)
    }

    override fun execute(action: String, rawArgs: String, callback: CallbackContext): Boolean {
        if (action == EVENTS) {
            page.listen(callback.callbackId)
            return true
        }
        // The page makes an ENGINE_FAILED of plain text.
        try {
            val serverUrl = preferences.getString(SERVER_URL, "").trim().ifEmpty { null }
            val session = CallSession.get(cordova.context.applicationContext, serverUrl)
            if (!session.command(callback.callbackId, action, argument(rawArgs))) callback.error("the engine has stopped")
        } catch (e: StartException) {
            callback.error(e.toString())
        } catch (e: LinkageError) {
            callback.error("libjmrtc.so can't be used: $e")
        }
        return true
    }

    /** Another page is being loaded: it asks for the state; events from before are none of its business. */
    override fun onReset() = page.forget()

    override fun onDestroy() = CallSession.close(page)

    override fun onResume(multitasking: Boolean) {
        CallSession.current?.appBecameActive()
    }

    override fun onRequestPermissionsResult(requestCode: Int, permissions: Array<String>, grantResults: IntArray) =
        answered(requestCode, grantResults)

    /** Capacitor knows only this one. Cordova calls both; the second says nothing new. */
    @Suppress("OVERRIDE_DEPRECATION")
    override fun onRequestPermissionResult(requestCode: Int, permissions: Array<String>, grantResults: IntArray) =
        answered(requestCode, grantResults)

    private fun answered(requestCode: Int, grantResults: IntArray) {
        if (requestCode != PERMISSION_REQUEST) return
        // Empty where the question was taken away unanswered.
        CallSession.current?.microphone?.answered(grantResults.firstOrNull() == PackageManager.PERMISSION_GRANTED)
    }

    private companion object {
        const val EVENTS = "events"
        const val SERVER_URL = "JMRTC_SERVER_URL"
        const val PERMISSION_REQUEST = 871
    }
}

/** The method's one argument as JSON text, empty for none. What is no JSON goes on as it is: the engine refuses it. */
private fun argument(rawArgs: String): String = try {
    JSONArray(rawArgs).optString(0)
} catch (_: JSONException) {
    rawArgs
}
