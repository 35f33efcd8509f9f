// An SMSC made of npm's smpp: what it reads and writes is not ours.
// It prints {"port": N} when it listens, then one line for each submit_sm that it took, and ends
// when its standard input does. Its only argument is JSON: what can be set is in `settings`.
'use strict';

const smpp = require('smpp');

const settings = Object.assign(
  {
    port: 0,
    latency_ms: 0,
    ids: 'decimal',
    receipt_ids: 'decimal',
    receipts: 'text', // text, tlv, early, twice, none
    refused: [], // these numbers get ESME_RINVDSTADR
    system_id: 'smsengine',
    password: 'secret08',
  },
  JSON.parse(process.argv[2] || '{}'),
);
let last = 0xa0000;

function spelled(number, how) {
  return how === 'hex' ? number.toString(16).toUpperCase() : String(number);
}

function report(session, pdu, number) {
  const id = spelled(number, settings.receipt_ids);
  const about = { source_addr: pdu.destination_addr, destination_addr: pdu.source_addr };
  if (settings.receipts === 'tlv') {
    session.deliver_sm({ esm_class: 4, receipted_message_id: id, message_state: 2, ...about });
    return;
  }
  const when = '2606010800';
  const text =
    `id:${id} sub:001 dlvrd:001 submit date:${when} done date:${when}` +
    ' stat:DELIVRD err:000 text:So tien da dong';
  session.deliver_sm({ esm_class: 4, short_message: text, ...about });
  if (settings.receipts === 'twice') {
    session.deliver_sm({ esm_class: 4, short_message: text, ...about });
  }
}

function write(number, pdu) {
  const said = pdu.short_message || {};
  const payload = pdu.message_payload;
  const line = {
    n: number,
    to: pdu.destination_addr,
    ton: pdu.dest_addr_ton,
    npi: pdu.dest_addr_npi,
    from: pdu.source_addr,
    from_ton: pdu.source_addr_ton,
    coding: pdu.data_coding,
    esm_class: pdu.esm_class,
    registered: pdu.registered_delivery,
    text: payload && payload.message ? payload.message : said.message,
    udh: said.udh ? Buffer.concat([].concat(said.udh)).toString('hex') : '',
  };
  process.stdout.write(JSON.stringify(line) + '\n');
}

function submit(session, pdu) {
  if (settings.refused.includes(pdu.destination_addr)) {
    session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
    return;
  }
  const number = ++last;
  write(number, pdu);
  const wanted = settings.receipts !== 'none' && pdu.registered_delivery & 3;
  if (wanted && settings.receipts === 'early') report(session, pdu, number);
  setTimeout(() => {
    session.send(pdu.response({ message_id: spelled(number, settings.ids) }));
    if (wanted && settings.receipts !== 'early') report(session, pdu, number);
  }, settings.latency_ms);
}

function bind(session, pdu) {
  const known = pdu.system_id === settings.system_id && pdu.password === settings.password;
  const status = known ? smpp.ESME_ROK : smpp.ESME_RINVPASWD;
  session.send(pdu.response({ command_status: status, system_id: 'node' }));
}

const server = smpp.createServer((session) => {
  for (const each of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(each, (pdu) => bind(session, pdu));
  }
  session.on('submit_sm', (pdu) => submit(session, pdu));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
  });
  session.on('error', () => {});
});
server.listen(settings.port, '127.0.0.1', () => {
  process.stdout.write(JSON.stringify({ port: server.address().port }) + '\n');
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
