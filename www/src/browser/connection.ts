/** A peer connection, and what goes with it. */
export interface Connection {
  pc: RTCPeerConnection
  /** When it is closed; what was asked of `pc` and is not answered then never will be, for its frame is gone. */
  closed: Promise<void>
  /** Whether the app has taken the frame away. */
  isLost(): boolean
  close(): void
}

/**
 * Makes a connection that knows today's networks. A frame of a page is told by Chromium of a change of network 1 to 3 s after it, and
 * the connections that it makes until then only know the old one; a new frame looks for itself. So each has a frame of its own. It
 * hangs at the root, where apps put nothing anew; where it is taken away all the same, the connection is gone.
 */
export function openConnection(configuration: RTCConfiguration): Connection {
  const frame = document.createElement('iframe')
  // More than `hidden`, which a page's styles may overrule.
  frame.style.setProperty('display', 'none', 'important')
  frame.title = 'JMRTC'
  document.documentElement.append(frame)
  try {
    const pc = new (constructorOf(frame))(configuration)
    let close = () => {}
    const closed = new Promise<void>((resolve) => {
      close = () => {
        pc.close()
        frame.remove()
        resolve()
      }
    })
    return { pc, closed, isLost: () => !frame.isConnected, close }
  } catch (error) {
    frame.remove()
    throw error
  }
}

/** The page's own where its frames are strangers to it, as in a sandbox. */
function constructorOf(frame: HTMLIFrameElement): typeof RTCPeerConnection {
  try {
    return (frame.contentWindow as typeof globalThis | null)?.RTCPeerConnection ?? RTCPeerConnection
  } catch {
    return RTCPeerConnection
  }
}
