package io.github.jmrtc.cordova

import android.content.Context
import android.media.AudioDeviceInfo
import android.media.AudioManager
import android.os.Build
import androidx.annotation.RequiresApi

/** Takes the system's sound for a call, leads it to earpiece or loudspeaker, and gives it back. On the main thread. */
internal class AudioRouter(context: Context) {
    private val audio = context.getSystemService(Context.AUDIO_SERVICE) as AudioManager
    private val focus = AudioFocus(audio, ::focusChanged)
    private var inCall = false

    /** Mode and route are ours. */
    private var active = false

    /** The focus does not come (back) by itself. */
    private var refused = false
    private var speakerphone = false

    fun start() {
        if (inCall) return
        inCall = true
        take()
    }

    fun stop() {
        if (!inCall) return
        inCall = false
        active = false
        refused = false
        speakerphone = false
        route()
        audio.mode = AudioManager.MODE_NORMAL
        focus.giveBack()
    }

    fun setSpeakerphone(enabled: Boolean) {
        speakerphone = enabled
        if (active) route()
    }

    /** Not every loss has an end that we are told of; but now the person wants to be in this call. */
    fun appBecameActive() {
        if (inCall && refused) take()
    }

    /** Without the focus, as during a telephone call, the call goes on, but mode and route are somebody else's. */
    private fun take() {
        val answer = focus.take()
        refused = answer == AudioManager.AUDIOFOCUS_REQUEST_FAILED
        if (answer == AudioManager.AUDIOFOCUS_REQUEST_GRANTED) claim()
    }

    /** Whoever had the focus meanwhile has set mode and route to its own liking. */
    private fun focusChanged(change: Int) {
        if (!inCall) return
        when (change) {
            AudioManager.AUDIOFOCUS_GAIN -> claim()
            AudioManager.AUDIOFOCUS_LOSS_TRANSIENT -> active = false
            AudioManager.AUDIOFOCUS_LOSS -> {
                active = false
                refused = true
            }
        }
    }

    private fun claim() {
        active = true
        refused = false
        audio.mode = AudioManager.MODE_IN_COMMUNICATION
        route()
    }

    private fun route() = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) route31() else routeBefore31()

    /** Without a device of our choice the system takes a headset where there is one, else the earpiece. */
    @RequiresApi(Build.VERSION_CODES.S)
    private fun route31() {
        val loudspeaker = audio.availableCommunicationDevices.find { it.type == AudioDeviceInfo.TYPE_BUILTIN_SPEAKER }
        if (speakerphone && loudspeaker != null) audio.setCommunicationDevice(loudspeaker) else audio.clearCommunicationDevice()
    }

    @Suppress("DEPRECATION")
    private fun routeBefore31() {
        audio.isSpeakerphoneOn = speakerphone
    }
}
