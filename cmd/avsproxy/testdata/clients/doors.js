// Prints a line for each door that Node's own clients pass.
const fs = require('fs'), http = require('http'), https = require('https'), http2 = require('http2'), tls = require('tls');
const [port, unix, root, api] = process.argv.slice(2);
const ca = fs.readFileSync(root);

const get = (module, options) => new Promise((done, fail) =>
	module.get({agent: false, path: '/ping', ...options}, r => { r.resume(); done(r.statusCode); }).on('error', fail));
const connect = () => new Promise((done, fail) =>
	http.request({agent: false, host: 'localhost', port, method: 'CONNECT', path: api + ':443'})
		.on('connect', (r, socket) => done(socket)).on('error', fail).end());
const stream = (session, headers) => new Promise((done, fail) => {
	session.on('error', fail);
	const s = session.request(headers).on('error', fail);
	s.on('response', h => done([h[':status'], s]));
});
const get2 = async (url, options) => {
	const session = http2.connect(url, {ca, ...options});
	const [status, s] = await stream(session, {':path': '/ping'});
	s.resume();
	session.destroy();
	return status;
};
const inside = (socket, protocol) => tls.connect({socket, ca, servername: api, ALPNProtocols: [protocol]});

(async () => {
	console.log('http', await get(http, {host: 'localhost', port}));
	console.log('https', await get(https, {host: 'localhost', port, ca}));
	console.log('unix', await get(http, {socketPath: unix, host: 'localhost'}));
	console.log('fetch', (await fetch('http://localhost:' + port + '/ping')).status);
	console.log('absolute', await get(http, {host: 'localhost', port, path: 'http://' + api + '/ping', headers: {Host: api}}));
	console.log('http2, h2c', await get2('http://localhost:' + port));
	console.log('http2, TLS', await get2('https://localhost:' + port));
	const one = await connect();
	console.log('CONNECT, https', await get(https, {host: api, agent: undefined, headers: {Host: api}, createConnection: () => inside(one, 'http/1.1')}));
	const two = await connect();
	console.log('CONNECT, http2', await get2('https://' + api, {createConnection: () => inside(two, 'h2')}));
	const outer = http2.connect('https://localhost:' + port, {ca});
	const [, tunnel] = await stream(outer, {':method': 'CONNECT', ':authority': api + ':443'});
	console.log('HTTP/2 CONNECT, http2', await get2('https://' + api, {createConnection: () => inside(tunnel, 'h2')}));
	process.exit(0);
})().catch(e => { console.error(e); process.exit(1); });
