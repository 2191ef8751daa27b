/**
 * Asks for the microphone unless that is settled. A browser has no other way to ask than to open it: it is closed
 * again at once, unheard.
 */
export async function requestMicrophone(): Promise<boolean> {
  // Not a refusal but a page that can't have one; preparing the audio will say so.
  if (navigator.mediaDevices === undefined) return true
  const known = await settled()
  if (known !== undefined) return known
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true })
    for (const track of stream.getTracks()) track.stop()
    return true
  } catch (thrown) {
    // Everything else (no device, device busy) is about the device, not about permission.
    return !['NotAllowedError', 'SecurityError'].includes((thrown as Error).name)
  }
}

async function settled(): Promise<boolean | undefined> {
  try {
    const { state } = await navigator.permissions.query({ name: 'microphone' as PermissionName })
    return state === 'prompt' ? undefined : state === 'granted'
  } catch {
    // A browser that can't be asked.
    return undefined
  }
}
