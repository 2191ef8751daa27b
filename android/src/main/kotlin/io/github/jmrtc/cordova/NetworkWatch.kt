package io.github.jmrtc.cordova

import android.content.Context
import android.net.ConnectivityManager
import android.net.Network
import android.util.Log

/** Tells [changed] when the app's network becomes another one, or one comes after there was none. On any thread. */
internal class NetworkWatch(context: Context, private val changed: () -> Unit) : ConnectivityManager.NetworkCallback() {
    private val connectivity = context.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager
    private var last: Network? = null
    private var registered = false

    fun start() {
        try {
            connectivity.registerDefaultNetworkCallback(this)
            registered = true
        } catch (e: SecurityException) {
            // Android 11 at times takes the app for another one: issuetracker.google.com/issues/175055271. The core notices a lost
            // network without us, later.
            Log.w("JMRTC", "the network is not watched", e)
        }
    }

    fun stop() {
        if (registered) connectivity.unregisterNetworkCallback(this)
    }

    /** The first is the network that there is. */
    override fun onAvailable(network: Network) {
        val first = last == null
        last = network
        if (!first) changed()
    }
}
