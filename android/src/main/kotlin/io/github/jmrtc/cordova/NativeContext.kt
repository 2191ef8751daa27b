package io.github.jmrtc.cordova

import android.content.Context
import com.sun.jna.JNIEnv
import com.sun.jna.Library
import com.sun.jna.Native

/** Hands the JavaVM and the app's context to the Rust core: before Android 8 its sound is not fast without them. */
internal object NativeContext {
    internal interface Core : Library {
        @Suppress("ktlint:standard:function-naming", "FunctionNaming")
        fun jmrtc_give_context(env: JNIEnv, context: Any): Any?
    }

    private val core by lazy {
        Native.load("jmrtc", Core::class.java, mapOf(Library.OPTION_ALLOW_OBJECTS to true))
    }

    /** The first call of the process counts. Returns what the core keeps: the application, whatever context is given. */
    fun give(context: Context): Any? = core.jmrtc_give_context(JNIEnv.CURRENT, context)
}
