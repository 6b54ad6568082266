// Package sms tells what SMS a text will be: in which encoding, in how many parts, and
// how much room the last part has. It never changes a text.
//
// A phone sends a text in GSM-7, the 7-bit default alphabet with its extension table
// (3GPP TS 23.038, 6.2.1), if that has all of its characters; otherwise in UCS-2. One
// character decides: a curly apostrophe makes of one part of 160 characters three of
// 67. National shift tables are not counted with, as few networks carry them.
//
// A text that fits in no single SMS goes in parts, each with a header of 6 octets that
// joins them (3GPP TS 23.040, 9.2.3.24.1, with a reference of 8 bits). A character that
// takes two units is in one part, not in two.
package sms
