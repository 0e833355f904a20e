// A web site with a page that gets pushes, on a port of its own of localhost: an origin.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');

const TYPES = {'.html': 'text/html; charset=utf-8', '.js': 'text/javascript'};

class PushSite {
  // `received` has {scope, text} of each push that a service worker took, in order.
  static async start() {
    const site = new PushSite();
    site.received = [];
    site.server = http.createServer((request, response) => site.answer(request, response));
    await new Promise(done => site.server.listen(0, '127.0.0.1', done));
    // A test that failed is not kept from ending.
    site.server.unref();
    site.origin = `http://localhost:${site.server.address().port}`;
    return site;
  }

  answer(request, response) {
    if (request.method === 'POST' && request.url === '/received') {
      const pieces = [];
      request.on('data', piece => pieces.push(piece));
      request.on('end', () => {
        this.received.push(JSON.parse(Buffer.concat(pieces).toString()));
        response.writeHead(204).end();
      });
      return;
    }
    const file = request.url === '/sw.js' ? 'sw.js' : 'index.html';
    response.writeHead(200, {'content-type': TYPES[path.extname(file)],
                             // One worker for all scopes of the site.
                             'service-worker-allowed': '/'});
    response.end(fs.readFileSync(path.join(__dirname, 'pages', file)));
  }

  // What came for one scope.
  textsOf(scope) {
    return this.received.filter(message => message.scope === scope).map(message => message.text);
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }
}

module.exports = {PushSite};
