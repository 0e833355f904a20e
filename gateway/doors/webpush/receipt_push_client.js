// An application server that asks for a receipt: node receipt_push_client.js ORIGIN PATH
// push|no_push|leave [PREFER]. Prints a line of JSON for each answer, promised or not. "leave": does so
// when its standard input ends.
'use strict';
const http2 = require('http2');

const [origin, path, push, prefer] = process.argv.slice(2);
const print = (line) => console.log(JSON.stringify(line));
// What is not set is on.
const session = http2.connect(origin, push === 'no_push' ? {settings: {enablePush: false}} : {});
session.on('error', (error) => {
  print({error: error.message});
  process.exit(1);
});
session.on('stream', (pushed, request) => {
  const promised = request[':method'] + ' ' + request[':path'];
  pushed.on('push', (headers) => print({promised, status: headers[':status']}));
  pushed.resume();
});
const request = session.request({':path': path, ...(prefer && {prefer})});
request.on('response', (headers) => print({status: headers[':status']}));
request.on('close', () => session.close());
request.resume();
if (push === 'leave') {
  process.stdin.on('end', () => session.destroy());
  process.stdin.resume();
}
