// Loaded into every client that runs on Node, before its own code: Node asks no HTTP proxy by itself, and Continue calls
// its maker at each start, whatever its settings say. A connection to anything but this machine ends in an error before
// its name is looked up.
'use strict';

const net = require('node:net');

const inside = new Set(['127.0.0.1', '::1', 'localhost']);
const connect = net.Socket.prototype.connect;

// connect takes options, (port, host), (path), or an array that holds options first, from Node itself.
net.Socket.prototype.connect = function (...args) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0];
  const { host, path } = typeof first === 'object' ? first : { host: args[1] };
  if (path || typeof host !== 'string' || inside.has(host)) {
    return connect.apply(this, args);
  }
  // Later, as an error of the network comes: Node's fetch listens for it only some steps after this call.
  setImmediate(() => this.destroy(new Error(`no way out of this test to ${host}`)));
  return this;
};
