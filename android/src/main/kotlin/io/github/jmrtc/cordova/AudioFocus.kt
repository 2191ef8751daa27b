package io.github.jmrtc.cordova

import android.media.AudioAttributes
import android.media.AudioFocusRequest
import android.media.AudioManager
import android.os.Build
import android.os.Handler
import android.os.Looper
import androidx.annotation.RequiresApi

/** The right to be heard, as the system grants it and takes it away. [changed] is told on the main thread, with AudioManager's own numbers. */
internal class AudioFocus(private val audio: AudioManager, changed: (change: Int) -> Unit) {
    private val mainThread = Handler(Looper.getMainLooper())

    /**
     * The system knows a request by its listener: the same object for taking and giving back. It calls it on the thread that was
     * the first of the app to want an AudioManager.
     */
    private val listener = AudioManager.OnAudioFocusChangeListener { change -> mainThread.post { changed(change) } }

    /** One of `AudioManager.AUDIOFOCUS_REQUEST_…`. Before Android 8 nothing is granted later. */
    fun take(): Int = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) take26() else takeBefore26()

    fun giveBack(): Int = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) giveBack26() else giveBackBefore26()

    @RequiresApi(Build.VERSION_CODES.O)
    private fun request(): AudioFocusRequest {
        val voice = AudioAttributes.Builder()
            .setUsage(AudioAttributes.USAGE_VOICE_COMMUNICATION)
            .setContentType(AudioAttributes.CONTENT_TYPE_SPEECH)
            .build()
        return AudioFocusRequest.Builder(AudioManager.AUDIOFOCUS_GAIN_TRANSIENT)
            .setAudioAttributes(voice)
            .setAcceptsDelayedFocusGain(true)
            .setOnAudioFocusChangeListener(listener)
            .build()
    }

    @RequiresApi(Build.VERSION_CODES.O)
    private fun take26() = audio.requestAudioFocus(request())

    @RequiresApi(Build.VERSION_CODES.O)
    private fun giveBack26() = audio.abandonAudioFocusRequest(request())

    @Suppress("DEPRECATION")
    private fun takeBefore26() = audio.requestAudioFocus(listener, AudioManager.STREAM_VOICE_CALL, AudioManager.AUDIOFOCUS_GAIN_TRANSIENT)

    @Suppress("DEPRECATION")
    private fun giveBackBefore26() = audio.abandonAudioFocus(listener)
}
