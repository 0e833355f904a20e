// npm's @googleapis/fcm: sends what standard input says and prints what became of each, as JSON.
'use strict';
const fs = require('fs');
const {auth, fcm} = require('@googleapis/fcm');

async function main() {
  const {account, root, messages} = JSON.parse(fs.readFileSync(0, 'utf8'));
  const google = new auth.GoogleAuth({
    keyFile: account, scopes: ['https://www.googleapis.com/auth/firebase.messaging'],
  });
  const {project_id: project} = JSON.parse(fs.readFileSync(account, 'utf8'));
  // Without a root it asks fcm.googleapis.com.
  const client = fcm({version: 'v1', auth: google, ...(root && {rootUrl: root})});
  const results = [];
  for (const {message, validateOnly} of messages) {
    try {
      const sent = await client.projects.messages.send(
          {parent: `projects/${project}`, requestBody: {message, validateOnly}});
      results.push(sent.data.name);
    } catch (error) {
      const told = error.response && error.response.data && error.response.data.error;
      results.push(told && told.details ? told.details[0].errorCode || told.status : String(error));
    }
  }
  console.log(JSON.stringify(results));
}

main();
