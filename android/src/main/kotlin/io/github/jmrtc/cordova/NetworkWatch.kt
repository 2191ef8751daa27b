package io.github.jmrtc.cordova

import android.content.Context
import android.net.ConnectivityManager
import android.net.Network

/** Tells [changed] when the app's network becomes another one, or one comes after there was none. On any thread. */
internal class NetworkWatch(context: Context, private val changed: () -> Unit) : ConnectivityManager.NetworkCallback() {
    private val connectivity = context.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager
    private var last: Network? = null

    fun start() = connectivity.registerDefaultNetworkCallback(this)

    fun stop() = connectivity.unregisterNetworkCallback(this)

    /** The first is the network that there is. */
    override fun onAvailable(network: Network) {
        val first = last == null
        last = network
        if (!first) changed()
    }
}
