// Package qst is the vocabulary of QST version 2 (Queue State Transfer), the
// protocol by which SMS gateways and applications hand messages over to each
// other: what a message is, how a batch of them is written as XML and as
// JSON, and the ETag by which a client confirms what it took.
//
// [Decode] reads a batch and [Append] writes one. Both formats carry the same
// [Message], so what came in as one goes out as the other; what a format can't
// express is the exception, and documented where it happens:
//
//   - JSON gives property values a type; XML has their text only ([Kind]).
//   - XML keeps properties of the same name apart; in JSON they are one array,
//     at the place of the first ([AppendJSON]).
//   - XML has no arrays of one value or of none ([Property]).
//   - XML 1.0 can't carry most control characters; they become U+FFFD there
//     ([AppendXML]). A lone surrogate, which a \u escape of JSON can name, is no
//     character and becomes U+FFFD as soon as it is read.
//
// A third form, the canonical one, loses nothing and is what the service
// stores ([Message.AppendCanonical]). A batch in JSON or XML is made from it without
// making messages ([AppendFromCanonical]).
//
// Decoders are strict, and their errors say what is wrong with which message,
// in words for the one who wrote it ([Error]). They are safe with hostile
// input: within [Limits] whatever it is, without recursion, and with
// allocations bounded by the input's length.
//
// The package depends on the standard library and, for the charsets that XML
// may come in, on golang.org/x/text.
package qst
