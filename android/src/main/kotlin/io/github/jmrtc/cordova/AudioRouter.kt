package io.github.jmrtc.cordova

import android.content.Context
import android.media.AudioAttributes
import android.media.AudioDeviceInfo
import android.media.AudioFocusRequest
import android.media.AudioManager
import android.os.Build
import androidx.annotation.RequiresApi

/** Takes the system's sound for a call, leads it to earpiece or loudspeaker, and gives it back. On the main thread. */
internal class AudioRouter(context: Context) {
    private val audio = context.getSystemService(Context.AUDIO_SERVICE) as AudioManager
    private var inCall = false
    private var speakerphone = false

    /** The system knows a request by its listener: the same object for taking and giving back. */
    private val focusListener = AudioManager.OnAudioFocusChangeListener(::focusChanged)

    fun start() {
        if (inCall) return
        inCall = true
        // Refused, as during a telephone call, it may still come later; the call goes on meanwhile.
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) requestFocus() else requestFocusBefore26()
        claim()
    }

    fun stop() {
        if (!inCall) return
        inCall = false
        speakerphone = false
        route()
        audio.mode = AudioManager.MODE_NORMAL
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) abandonFocus() else abandonFocusBefore26()
    }

    fun setSpeakerphone(enabled: Boolean) {
        speakerphone = enabled
        if (inCall) route()
    }

    /** Whoever had the focus meanwhile has set mode and route to its own liking. */
    private fun focusChanged(change: Int) {
        if (inCall && change == AudioManager.AUDIOFOCUS_GAIN) claim()
    }

    private fun claim() {
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

    @RequiresApi(Build.VERSION_CODES.O)
    private fun focusRequest(): AudioFocusRequest {
        val voice = AudioAttributes.Builder()
            .setUsage(AudioAttributes.USAGE_VOICE_COMMUNICATION)
            .setContentType(AudioAttributes.CONTENT_TYPE_SPEECH)
            .build()
        return AudioFocusRequest.Builder(AudioManager.AUDIOFOCUS_GAIN_TRANSIENT)
            .setAudioAttributes(voice)
            .setAcceptsDelayedFocusGain(true)
            .setOnAudioFocusChangeListener(focusListener)
            .build()
    }

    @RequiresApi(Build.VERSION_CODES.O)
    private fun requestFocus() = audio.requestAudioFocus(focusRequest())

    @RequiresApi(Build.VERSION_CODES.O)
    private fun abandonFocus() = audio.abandonAudioFocusRequest(focusRequest())

    @Suppress("DEPRECATION")
    private fun requestFocusBefore26() =
        audio.requestAudioFocus(focusListener, AudioManager.STREAM_VOICE_CALL, AudioManager.AUDIOFOCUS_GAIN_TRANSIENT)

    @Suppress("DEPRECATION")
    private fun abandonFocusBefore26() = audio.abandonAudioFocus(focusListener)
}
