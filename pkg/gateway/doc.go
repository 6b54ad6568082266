// Package gateway bridges an SMS gateway and a QST channel: a [Bridge] is a QSTv2
// client of the channel's gateway endpoint, and a [Gateway] is a program or a service
// that sends and receives texts. The packages beside this one are the gateways:
// gammu, kannel, smsgate, smstools.
//
// # What is kept
//
// A bridge can be killed at any time, and its machine can fail. Its state directory
// has what the next start needs:
//
//	outbound        how far the channel's outbound queue was handled (client.FileStore)
//	journal         each text that was handed to the gateway, and what became of it
//	spool/          messages and reports for the channel that the service has not stored yet
//	spool-refused/  messages that the service will never take, for a person to look at
//
// # Outbound
//
// A text is pulled, written into the journal, handed to the gateway, marked as handed
// and then confirmed. A bridge that dies
//
//   - before the text is in the journal, or before it is handed: the text comes again,
//     and is handed;
//   - after it was handed, before it is marked: the text comes again, and the journal
//     says that it may have been handed. A gateway that can tell is asked; to one that can't the
//     text is handed again, and counted (qst_gateway_possible_doubles_total);
//   - after it is marked, before it is confirmed: the text comes again, and is passed over.
//
// # Inbound
//
// What a gateway received gets an ID that is made of what the gateway knows of
// it, is written into the spool, and only then taken away from the gateway. It is
// deleted from the spool when the service has stored it. A message that is pushed
// twice because the bridge died in between has the same ID and content both times, so that
// the service (within its deduplication window) and the application know it.
//
// # Reports
//
// What becomes of a text is told to the application by messages with the properties
// qst-message (the text's ID), qst-status (see [Status]) and qst-code (the gateway's
// own word, where it has one). The status is the subject as well, as the reports of
// version 1 phones have it.
package gateway
