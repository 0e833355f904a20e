#!/bin/sh
exec node examples/node_provider/encrypt_test.js
