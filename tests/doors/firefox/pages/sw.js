// Shows each push in the open pages, and tells the server of the pages.
async function take(text) {
  const message = {scope: new URL(self.registration.scope).pathname, text};
  await fetch('/received', {method: 'POST', body: JSON.stringify(message)});
  const pages = await self.clients.matchAll({includeUncontrolled: true, type: 'window'});
  for (const page of pages) page.postMessage(message);
  // Without a desktop there is nothing to show a notification on.
  await self.registration.showNotification('Bellwire', {body: text}).catch(() => {});
}

self.addEventListener('install', () => self.skipWaiting());
// One after the other, in the order of the events: requests that run at the same time overtake one
// another.
let last = Promise.resolve();
self.addEventListener('push', event => {
  const text = event.data ? event.data.text() : null;
  last = last.catch(() => {}).then(() => take(text));
  event.waitUntil(last);
});
