package io.github.jmrtc.cordova

import android.app.Notification
import android.app.Service
import android.content.Context
import android.content.Intent
import android.content.pm.ServiceInfo
import android.net.Uri
import android.os.Build
import android.os.IBinder
import android.util.Log
import androidx.annotation.RequiresApi
import io.github.jmrtc.core.CallInfo

/** Keeps microphone and network while the app is out of sight: runs in an accepted call and at no other time. */
class CallService : Service() {
    override fun onBind(intent: Intent?): IBinder? = null

    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        if (intent?.action == HANG_UP) hangUp(intent.data)
        val call = Switch.call
        // Also where the call is over already: the system insists on what startForegroundService announced.
        show(CallNotification(this).build(call))
        Switch.running = this
        if (call == null) stopSelf()
        return START_NOT_STICKY
    }

    override fun onDestroy() {
        Switch.running = null
    }

    private fun hangUp(said: Uri?) {
        val stay = said?.fragment?.toUIntOrNull() ?: return
        CallSession.current?.hangUp(said.schemeSpecificPart, stay)
    }

    private fun show(notification: Notification) = try {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) show30(notification) else startForeground(NOTIFICATION, notification)
    } catch (e: RuntimeException) {
        // No permission for the microphone any more, or no right to start now. The call goes on while the app is in sight.
        Log.w(TAG, "no foreground service for the call", e)
        stopSelf()
    }

    @RequiresApi(Build.VERSION_CODES.R)
    private fun show30(notification: Notification) =
        startForeground(NOTIFICATION, notification, ServiceInfo.FOREGROUND_SERVICE_TYPE_MICROPHONE)

    /** Turns the service on and off. On the main thread. */
    internal class Switch(private val context: Context) {
        fun on(started: CallInfo) {
            call = started
            val intent = Intent(context, CallService::class.java)
            try {
                if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) start26(intent) else context.startService(intent)
            } catch (e: RuntimeException) {
                Log.w(TAG, "no foreground service for the call", e)
            }
        }

        /** A service that is only about to run stops itself: stopping it from here would end the app. */
        fun off() {
            call = null
            running?.stopSelf()
        }

        @RequiresApi(Build.VERSION_CODES.O)
        private fun start26(intent: Intent) = context.startForegroundService(intent)

        companion object {
            /** In which the person is. */
            var call: CallInfo? = null

            var running: CallService? = null
        }
    }

    internal companion object {
        /** What the notification's button starts the service with. */
        const val HANG_UP = "io.github.jmrtc.HANG_UP"
        const val NOTIFICATION = 871

        /** Names the call that is meant, and which stay in it. */
        fun data(channelId: String, stay: UInt): Uri = Uri.fromParts("jmrtc", channelId, "$stay")

        private const val TAG = "JMRTC"
    }
}
