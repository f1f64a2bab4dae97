// Calls of @grpc/grpc-js to the server of grpc_setup_test.go:
//
//	node grpc.js ADDRESS [ROOT]    ROOT is the file of the root, for TLS
const grpc = require(process.env.GRPC_JS);
const assert = require('node:assert');
const fs = require('node:fs');

const [address, root] = process.argv.slice(2);
const credentials = root ? grpc.credentials.createSsl(fs.readFileSync(root)) : grpc.credentials.createInsecure();
const client = new grpc.Client(address, credentials, {'grpc.enable_http_proxy': 0});
const path = '/interop.Texts/Any', encode = text => Buffer.from(text), decode = bytes => bytes.toString();
const options = () => ({deadline: Date.now() + 60000});
const rounds = 40;

const unary = (text, metadata = new grpc.Metadata(), o = options()) => new Promise(resolve => {
  const got = {};
  const call = client.makeUnaryRequest(path, encode, decode, text, metadata, o, (error, value) => Object.assign(got, {error, value}));
  call.on('metadata', m => got.head = m).on('status', s => resolve(Object.assign(got, {status: s})));
});

// heard gathers what a call receives until its status.
const heard = call => new Promise(resolve => {
  const texts = [];
  call.on('data', text => texts.push(text)).on('error', () => {}).on('status', status => resolve({texts, code: status.code, details: status.details}));
});
const serverStream = text => heard(client.makeServerStreamRequest(path, encode, decode, text, new grpc.Metadata(), options()));
const bidi = (o = options()) => client.makeBidiStreamRequest(path, encode, decode, new grpc.Metadata(), o);

const tests = {
  async unary() {
    const metadata = new grpc.Metadata();
    metadata.set('x-word', 'hello');
    metadata.set('x-binary-bin', Buffer.from([0, 255]));
    const {value, head, status} = await unary('hello', metadata);
    assert.deepEqual([value, status.code, head.get('x-seen'), status.metadata.get('x-end')], ['hello', 0, ['hello'], ['ended']]);
    assert.deepEqual(head.get('x-binary-bin'), [Buffer.from([0, 255])]);
  },
  async serverStreaming() {
    assert.deepEqual(await serverStream('count 3'), {texts: ['counted', 'counted', 'counted'], code: 0, details: ''});
  },
  async clientStreaming() {
    const value = await new Promise((resolve, reject) => {
      const call = client.makeClientStreamRequest(path, encode, decode, new grpc.Metadata(), options(), (error, v) => error ? reject(error) : resolve(v));
      call.write('count 0');
      call.write('all');
      call.end();
    });
    assert.equal(value, 'all');
  },
  async bothStreaming() {
    const call = bidi(), end = heard(call);
    for (let i = 0; i < 20; i++) { // each comes back before the next one is sent
      call.write('word ' + i);
      assert.equal(await new Promise(resolve => call.once('data', resolve)), 'word ' + i);
    }
    call.end();
    assert.equal((await end).code, 0);
  },
  async errorsBeforeAMessage() {
    for (let i = 0; i < rounds; i++) {
      const {status} = await unary('fail 5 no such thing');
      assert.deepEqual([status.code, status.details, status.metadata.get('x-end')], [5, 'no such thing', ['ended']]);
      assert.deepEqual(await serverStream('fail 5 no such thing'), {texts: [], code: 5, details: 'no such thing'});
    }
  },
  async errorsToCallsThatGoOn() {
    for (let i = 0; i < rounds; i++) {
      const call = bidi(), end = heard(call);
      call.write('fail 8 too much');
      assert.deepEqual(await end, {texts: [], code: 8, details: 'too much'});
      const late = bidi(), lateEnd = heard(late);
      late.write('count 1');
      late.write('fail 9 not now');
      assert.deepEqual(await lateEnd, {texts: ['counted'], code: 9, details: 'not now'});
    }
  },
  async deadline() {
    const call = bidi({deadline: Date.now() + 1000}), end = heard(call);
    call.write('wait');
    const {texts, code} = await end;
    assert.deepEqual(texts, ['waiting']);
    // The server resets the stream at its deadline; grpc-js may hear of that before its own timer runs.
    assert.ok([grpc.status.DEADLINE_EXCEEDED, grpc.status.CANCELLED].includes(code), String(code));
  },
  async cancel() {
    const call = bidi(), end = heard(call);
    call.write('wait');
    call.once('data', () => call.cancel());
    assert.deepEqual(await end, {texts: ['waiting'], code: grpc.status.CANCELLED, details: 'Cancelled on client'});
  },
};

(async () => {
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log('PASS', name);
    } catch (e) {
      console.log('FAIL', name, e.message);
      process.exitCode = 1;
    }
  }
  client.close();
})();
