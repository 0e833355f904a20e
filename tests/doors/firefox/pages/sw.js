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
self.addEventListener('push', event => event.waitUntil(take(event.data ? event.data.text() : null)));
