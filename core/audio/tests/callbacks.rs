//! The real-time rule: what a device's callback runs never allocates. (That it never locks or waits is in the types: it
//! touches rings and atomics only.)
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    thread,
};

use jmrtc_audio::ring;

thread_local! {
    static TRAPPED: Cell<bool> = const { Cell::new(false) };
    static CAUGHT: Cell<u32> = const { Cell::new(0) };
}

/// Counts what the current thread allocates or frees while the trap is set.
struct Trap;

fn catch() {
    if TRAPPED.get() {
        CAUGHT.set(CAUGHT.get() + 1);
    }
}

// SAFETY: all calls go to the system's allocator unchanged.
unsafe impl GlobalAlloc for Trap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        catch();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        catch();
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        catch();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Trap = Trap;

fn trapped<T>(callback: impl FnOnce() -> T) -> T {
    TRAPPED.set(true);
    let result = callback();
    TRAPPED.set(false);
    result
}

#[test]
fn the_trap_catches() {
    let caught = CAUGHT.get();
    drop(trapped(|| vec![1u8; 100]));
    assert_eq!(CAUGHT.get(), caught + 1);
}

#[test]
fn callbacks_of_any_size_allocate_nothing() {
    let caught = CAUGHT.get();
    let (mut microphone, mut heard, _) = ring::capture(thread::current(), thread::current());
    let (mut loudspeaker, mut played, _) = ring::playback(thread::current(), thread::current());
    let mut sound = Vec::with_capacity(100_000);
    let (input, mut output) = (vec![1_000i16; 40_000], vec![0i16; 40_000]);
    let (input_f32, mut output_f32) = (vec![0.1f32; 40_000], vec![0f32; 40_000]);
    let lost = microphone.handle();
    // From nothing at all to more than the rings hold; mono, stereo, 5.1 and sizes that don't divide by it.
    for (round, size) in
        [0, 1, 7, 96, 127, 480, 441, 1_024, 4_095, 40_000].into_iter().cycle().take(200).enumerate()
    {
        let channels = [1, 2, 6][round % 3];
        trapped(|| {
            microphone.set_rate(if round % 5 == 0 { 44_100 } else { 48_000 });
            microphone.write(&input[..size], channels);
            microphone.write(&input_f32[..size], channels);
            loudspeaker.read(&mut output[..size], channels);
            loudspeaker.read(&mut output_f32[..size], channels);
            let _ = microphone.is_live();
            if round % 17 == 0 {
                microphone.done();
                lost.lost();
            }
        });
        if round % 3 == 0 {
            sound.clear();
            heard.drain(&mut sound);
            played.push(&sound);
        }
    }
    assert_eq!(CAUGHT.get(), caught, "allocations in callbacks");
    assert!(!sound.is_empty() && output.iter().any(|s| *s != 0), "and yet sound went through");
}

#[test]
fn what_goes_through_a_ring_is_what_comes_out() {
    let (mut microphone, mut heard, _) = ring::capture(thread::current(), thread::current());
    let (mut loudspeaker, mut played, _) = ring::playback(thread::current(), thread::current());
    microphone.write(&[i16::MAX, i16::MIN, 100, 200, 1], 2);
    let mut sound = Vec::new();
    heard.drain(&mut sound);
    assert_eq!(sound, [-0.5 / 32_768.0, 150.0 / 32_768.0], "channels are mixed, half a frame is no frame");

    microphone.write(&[f32::NAN, f32::INFINITY, 0.5], 1);
    sound.clear();
    heard.drain(&mut sound);
    assert_eq!(sound, [0.0, 0.0, 0.5]);

    for channels in [1, 2] {
        let samples: Vec<f32> = (-100..100).map(|i| i as f32 * 300.0 / 32_768.0).collect();
        played.push(&samples);
        assert_eq!(played.waiting(), 200);
        let mut out = vec![0i16; 200 * channels];
        loudspeaker.read(&mut out, channels);
        let expected: Vec<i16> = (-100..100).flat_map(|i| vec![i * 300; channels]).collect();
        assert_eq!(out, expected);
    }
    let mut late = [1.0f32; 400];
    loudspeaker.read(&mut late, 1);
    assert!(late.windows(2).all(|w| w[1] < w[0] && w[1] >= 0.0), "it falls off");
    assert!(late[0] < 0.91 && late[399] < 0.001);
    let mut clipped = [0i16; 2];
    played.push(&[3.0, -3.0]);
    loudspeaker.read(&mut clipped, 1);
    assert_eq!(clipped, [i16::MAX, i16::MIN]);
}
