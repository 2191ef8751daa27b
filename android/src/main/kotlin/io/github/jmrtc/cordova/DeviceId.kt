package io.github.jmrtc.cordova

import android.util.Log
import java.io.File
import java.io.IOException
import java.util.UUID

/** Names this installation. */
internal object DeviceId {
    /** Kept in a file of [folder], out of backups: on another phone it would be another device. */
    fun kept(folder: File): String {
        val file = File(folder, "jmrtc-device")
        try {
            // An empty one is what a full disk or a phone that was switched off has left.
            if (file.exists()) file.readText().ifEmpty { null }?.let { return it }
            return made().also { keep(it, file) }
        } catch (e: IOException) {
            Log.w("JMRTC", "the device's name can't be kept", e)
            return made()
        }
    }

    private fun made() = UUID.randomUUID().toString()

    /** Whole or not at all. */
    private fun keep(id: String, file: File) {
        val draft = File(file.path + ".new")
        draft.writeText(id)
        if (!draft.renameTo(file)) throw IOException("$draft can't be renamed")
    }
}
