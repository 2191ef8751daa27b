/** Where the server is. Empty where the page comes from it; an app's page comes with the app and is told. */
export const SERVER = document.querySelector<HTMLMetaElement>('meta[name=jmrtc-server]')?.content ?? ''
