// Loaded by `node --require` before a client of FCM, which stays as it is: the hosts that it knows
// are ours. Counts what it asks and is answered, and lets a test set its clock.
'use strict';
const dns = require('dns');
const http2 = require('http2');
const https = require('https');

const HOSTS = ['fcm.googleapis.com', 'iid.googleapis.com', 'oauth2.googleapis.com',
               'www.googleapis.com'];
const HERE = process.env.FCM_REDIRECT;

const lookup = dns.lookup;
dns.lookup = (host, options, callback) => {
  if (typeof options === 'function') [options, callback] = [{}, options];
  if (!HOSTS.includes(host)) return lookup(host, options, callback);
  if (options && options.all) return callback(null, [{address: HERE, family: 4}]);
  return callback(null, HERE, 4);
};

// Of messages:send: what was asked, and what was answered with whatever status.
const sends = {asked: 0, answered: 0};
const isSend = path => String(path).endsWith('/messages:send');
const watch = request => {
  ++sends.asked;
  request.once('response', () => ++sends.answered);
};
const request = https.request;
https.request = function(...args) {
  const made = request.apply(this, args);
  if (isSend(made.path)) watch(made);
  return made;
};
const connect = http2.connect;
http2.connect = function(...args) {
  const session = connect.apply(this, args);
  const open = session.request;
  session.request = function(headers, ...rest) {
    const made = open.call(this, headers, ...rest);
    if (isSend(headers[':path'])) watch(made);
    return made;
  };
  return session;
};

const RealDate = Date;
let behindMs = 0;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) args = [RealDate.now() - behindMs];
    super(...args);
  }
  static now() {
    return RealDate.now() - behindMs;
  }
};

globalThis.redirected = {
  sends,
  setBehind: seconds => {
    behindMs = seconds * 1000;
  },
};
