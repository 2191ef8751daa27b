// Who moves from network to network: a phone or a page in the namespace with two of them, with a steady tone at its microphone.
import { apiPage } from './api-page.mjs'
import { Page, startBrowser } from './browser.mjs'
import { Phone } from './phone.mjs'
import { token } from './server.mjs'
import { tone } from './speech.mjs'

/** A phone that says a tone and records what it hears. */
export const ready = (url, user, hz, more) => Phone.ready({ url, user, device: user, play: tone(hz), repeat: true, record: true, ...more })

/** Alice's page. What Chromium does to a voice would take a tone for noise. */
async function page(networks, url, hz) {
  const browser = await startBrowser({ microphone: tone(hz), netns: networks.netns, args: ['--disable-features=LocalNetworkAccessChecks'] })
  await browser.addInitScript(() => {
    const devices = navigator.mediaDevices
    const open = devices.getUserMedia.bind(devices)
    devices.getUserMedia = () => open({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } })
  })
  const page = await Page.ready({ browser, url: await apiPage(), server: url, user: 'alice', mint: token })
  page.begin = () => page.record()
  page.end = async () => {
    page.recording = await page.finish()
    await browser.close()
  }
  return page
}

async function phone(networks, url, hz) {
  const phone = await ready(url, 'alice', hz, { netns: networks.netns })
  phone.begin = () => {}
  phone.end = () => phone.stop()
  return phone
}

/** Each makes Alice ready in `networks` for the server at `url`; `begin` and `end` are of what she hears: `recording`. */
export const MOVING = { phone, page }
