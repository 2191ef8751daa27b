package io.github.jmrtc.cordova

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.app.Person
import android.content.Context
import android.content.Intent
import android.graphics.drawable.Icon
import android.os.Build
import androidx.annotation.RequiresApi
import io.github.jmrtc.core.CallInfo

/** What the system shows while the person is in a call: with whom, the way back to the app, a button to hang up. */
internal class CallNotification(private val context: Context) {
    private val appName = context.applicationInfo.loadLabel(context.packageManager).toString()

    /** Null where [call] is over already. Nobody has to have a name, but the system insists on one. */
    fun build(call: CallInfo?): Notification {
        val name = call?.people?.joinToString { it.displayName }?.ifEmpty { null } ?: appName
        val hangUp = hangUp(call)
        val builder = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) builder26() else builderBefore26()
        builder.setSmallIcon(android.R.drawable.sym_action_call)
            .setContentTitle(name)
            .setCategory(Notification.CATEGORY_CALL)
            .setOngoing(true)
            .setContentIntent(backToApp())
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) callStyle(builder, name, hangUp) else button(builder, hangUp)
        return builder.build()
    }

    /** The channel is named as the app: it has this one, and the name needs no translation. */
    @RequiresApi(Build.VERSION_CODES.O)
    private fun builder26(): Notification.Builder {
        val channel = NotificationChannel(CHANNEL, appName, NotificationManager.IMPORTANCE_LOW)
        (context.getSystemService(Context.NOTIFICATION_SERVICE) as NotificationManager).createNotificationChannel(channel)
        return Notification.Builder(context, CHANNEL)
    }

    @Suppress("DEPRECATION")
    private fun builderBefore26() = Notification.Builder(context).setPriority(Notification.PRIORITY_LOW)

    @RequiresApi(Build.VERSION_CODES.S)
    private fun callStyle(builder: Notification.Builder, name: String, hangUp: PendingIntent) {
        builder.setStyle(Notification.CallStyle.forOngoingCall(Person.Builder().setName(name).build(), hangUp))
    }

    private fun button(builder: Notification.Builder, hangUp: PendingIntent) {
        val icon = Icon.createWithResource(context, android.R.drawable.ic_menu_close_clear_cancel)
        builder.addAction(Notification.Action.Builder(icon, HANG_UP_TEXT, hangUp).build())
    }

    /** The call and the stay are part of what makes two intents differ; extras are not. */
    private fun hangUp(call: CallInfo?): PendingIntent {
        val data = call?.let { CallService.data(it.channelId, it.stay) }
        val intent = Intent(CallService.HANG_UP, data, context, CallService::class.java)
        return PendingIntent.getService(context, 0, intent, PendingIntent.FLAG_IMMUTABLE)
    }

    /** Null for an app without a launcher icon. */
    private fun backToApp(): PendingIntent? = context.packageManager.getLaunchIntentForPackage(context.packageName)?.let {
        PendingIntent.getActivity(context, 0, it, PendingIntent.FLAG_IMMUTABLE)
    }

    private companion object {
        const val CHANNEL = "jmrtc-call"

        /** From Android 12 on the system words the button itself. */
        const val HANG_UP_TEXT = "Hang up"
    }
}
