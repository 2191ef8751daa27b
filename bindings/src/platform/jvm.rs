//! The JavaVM and the application's context, for the crates that look for them with `ndk_context`: Oboe does.
//!
//! Kotlin hands them over through JNA, as everything else. (`JNI_OnLoad` would not do: JNA opens the library with `dlopen`,
//! and then no JavaVM calls it.)
#![allow(unsafe_code)]

use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};

use jni::JNIEnv;
use jni::errors::{Error, Result};
use jni::objects::{GlobalRef, JObject};
use jni::sys::jobject;

/// Kept for as long as the process lives, as the application itself is.
static APPLICATION: Mutex<Option<GlobalRef>> = Mutex::new(None);

/// Keeps the JavaVM and the application that `context` belongs to; never `context` itself, which may be an Activity. Only
/// the first call does that. Gives back the application that is kept; null where Java fails.
///
/// # Safety
/// `env` is the calling thread's, `context` an `android.content.Context` of it.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn jmrtc_give_context(env: *mut jni::sys::JNIEnv, context: jobject) -> jobject {
    // SAFETY: as the caller promises.
    let (env, context) = unsafe { (JNIEnv::from_raw(env), JObject::from_raw(context)) };
    let kept = env.and_then(|mut env| {
        let kept = keep(&mut env, &context);
        env.exception_clear()?;
        kept
    });
    kept.unwrap_or_else(|why| {
        log::warn!("no application's context: {why}");
        null_mut()
    })
}

fn keep(env: &mut JNIEnv<'_>, context: &JObject<'_>) -> Result<jobject> {
    let mut kept = APPLICATION.lock().unwrap_or_else(PoisonError::into_inner);
    let application = match &mut *kept {
        Some(application) => application,
        none => {
            let found =
                env.call_method(context, "getApplicationContext", "()Landroid/content/Context;", &[])?.l()?;
            if found.is_null() {
                return Err(Error::NullPtr("getApplicationContext"));
            }
            let application = env.new_global_ref(found)?;
            let vm = env.get_java_vm()?.get_java_vm_pointer();
            // SAFETY: both are valid for as long as the process lives, and the lock lets nobody come here twice.
            unsafe { ndk_context::initialize_android_context(vm.cast(), application.as_raw().cast()) };
            #[cfg(target_os = "android")]
            if let Err(why) = jmrtc_engine::audio::context_given() {
                log::warn!("the loudspeaker's own rate is not known: {why}");
            }
            none.insert(application)
        }
    };
    Ok(env.new_local_ref(application)?.into_raw())
}
