package io.github.jmrtc.cordova

import android.Manifest
import android.content.Context
import android.content.pm.PackageManager

/** The person's permission to use the microphone. On the main thread. */
internal class MicrophonePermission(private val context: Context, private val page: () -> Page?) {
    private var asker: Page? = null
    private var waiting: ((granted: Boolean) -> Unit)? = null

    /** Tells whether it is granted; asks the person before, each time unless it is. */
    fun ask(answer: (granted: Boolean) -> Unit) {
        val page = page()
        if (page == null || isGranted()) return answer(isGranted())
        val asked = waiting != null
        waiting = answer
        // Asked twice at once, the system would refuse at once.
        if (!asked) page.also { asker = it }.ask(Manifest.permission.RECORD_AUDIO)
    }

    /** The person has answered. */
    fun answered(granted: Boolean) {
        waiting?.invoke(granted)
        waiting = null
        asker = null
    }

    /** Where this page's Activity was the one to ask, the answer is gone with it; the page there is now asks again. */
    fun gone(page: Page) {
        if (page != asker) return
        asker = null
        waiting?.also { waiting = null }?.let(::ask)
    }

    private fun isGranted() = context.checkSelfPermission(Manifest.permission.RECORD_AUDIO) == PackageManager.PERMISSION_GRANTED
}
