// How the demo page looks and what a screen reader finds, light and dark, on a phone's screen and a desktop's.
import test from 'node:test'
import { DESKTOP, PHONE, leave, meter, picture, signIn, startDemo, state } from './lib/demo-page.mjs'

const demo = startDemo()
const { visit } = demo

for (const [device, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
  for (const dark of [false, true]) {
    const look = `${device}-${dark ? 'dark' : 'light'}`
    test(`how it looks and what a screen reader finds: ${look}`, { timeout: 60_000 }, async () => {
      const [alice, bob] = await Promise.all([visit('alice', { viewport, dark }), visit('bob', { viewport, dark })])
      await alice.getByLabel('Your name').waitFor()
      await picture(alice, `${look}-1-sign-in`)
      await signIn(alice, 'alice')
      await signIn(bob, 'bob')
      await alice.getByRole('button', { name: 'Call bob' }).waitFor()
      await picture(alice, `${look}-2-people`)
      await alice.getByRole('button', { name: 'Call bob' }).click()
      await bob.getByRole('alertdialog').waitFor()
      await state(alice, 'Ringing')
      await picture(alice, `${look}-3-ringing`)
      await picture(bob, `${look}-4-incoming`)
      await bob.getByRole('button', { name: 'Accept' }).click()
      await state(alice, 'Connected')
      await meter(alice, 'level-out', true)
      await alice.getByRole('img', { name: 'Sound quality' }).waitFor()
      await picture(alice, `${look}-5-call`)
      await alice.getByRole('button', { name: 'Invite', exact: true }).click()
      await picture(alice, `${look}-7-invite`)
      await alice.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
      await alice.getByRole('button', { name: 'Hang up' }).click()
      await bob.locator('#call.ended').waitFor()
      await picture(bob, `${look}-6-over`)
      // As long as all the rest: with one light and one dark look is enough.
      if (dark === (device === 'phone')) return leave(alice, bob)
      const sheet = alice.getByRole('dialog', { name: 'Check connection' })
      await alice.getByRole('button', { name: 'Check connection' }).click()
      await sheet.getByRole('button', { name: 'Start' }).click()
      await sheet.getByText('Calls will work').waitFor({ timeout: 30_000 })
      await picture(alice, `${look}-8-checked`)
      await sheet.getByRole('button', { name: 'Close' }).click()
      await leave(alice, bob)
    })
  }
}
