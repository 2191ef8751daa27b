package io.github.jmrtc.cordova

import org.apache.cordova.CordovaWebView
import org.apache.cordova.PluginResult

/**
 * The page in one WebView, as the engine's messages see it. May be called from any thread.
 * [ask] shows the system's question for a permission; on the main thread.
 */
internal class Page(private val webView: CordovaWebView, val ask: (permission: String) -> Unit) {
    @Volatile
    private var events: String? = null

    /** From now on events go to this callback. */
    fun listen(callbackId: String) {
        events = callbackId
    }

    /** No event until somebody listens again. */
    fun forget() {
        events = null
    }

    /** Cordova's JavaScript drops what is meant for a page that was here before. */
    fun reply(callbackId: String, ok: Boolean, json: String) =
        webView.sendPluginResult(PluginResult(if (ok) PluginResult.Status.OK else PluginResult.Status.ERROR, json), callbackId)

    fun event(json: String) {
        val callbackId = events ?: return
        webView.sendPluginResult(PluginResult(PluginResult.Status.OK, json).apply { keepCallback = true }, callbackId)
    }
}
