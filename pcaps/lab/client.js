// Fetches each URL: the first ones with node:https, the last one with fetch. A prefix 4: or 6: sets the address family.
// usage: client.js 4:URL 6:URL...
const https = require("node:https");

function get(url, family) {
  return new Promise((done) => {
    https.get(url, { family }, (answer) => answer.resume().on("end", done)).on("error", (e) => done(console.error(url, e.message)));
  });
}

(async () => {
  const urls = process.argv.slice(2);
  const last = urls.pop().slice(2);
  for (const url of urls) await get(url.slice(2), Number(url[0]));
  await fetch(last).then((r) => r.text()).catch((e) => console.error(last, e.message));
})();
