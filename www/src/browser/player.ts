/** Plays tracks, one audio element each: browsers disagree on elements with several tracks. */
export class Player {
  #elements: { track: MediaStreamTrack; element: HTMLAudioElement }[] = []
  #waiting = false

  /** Plays these tracks and no others. */
  play(tracks: MediaStreamTrack[]): void {
    for (const { track, element } of this.#elements) {
      if (tracks.includes(track)) continue
      element.pause()
      element.srcObject = null
    }
    this.#elements = tracks.map((track) =>
      this.#elements.find((e) => e.track === track) ?? { track, element: this.#start(track) })
  }

  #start(track: MediaStreamTrack): HTMLAudioElement {
    const element = document.createElement('audio')
    element.setAttribute('playsinline', '')
    element.srcObject = new MediaStream([track])
    this.#resume(element)
    return element
  }

  #resume(element: HTMLAudioElement): void {
    element.play().catch((error: unknown) => {
      if ((error as Error).name === 'NotAllowedError') this.#afterGesture()
    })
  }

  /** The page may make no sound before the person has touched it, which may be so after a reload in a call. */
  #afterGesture(): void {
    if (this.#waiting) return
    this.#waiting = true
    const gestures = ['pointerup', 'keydown'] as const
    const retry = (): void => {
      this.#waiting = false
      for (const gesture of gestures) document.removeEventListener(gesture, retry, true)
      for (const { element } of this.#elements) this.#resume(element)
    }
    for (const gesture of gestures) document.addEventListener(gesture, retry, true)
  }
}
