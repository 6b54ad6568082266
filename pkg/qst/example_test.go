package qst_test

import (
	"errors"
	"fmt"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

func ExampleDecode() {
	body := []byte(`<messages>
	  <message from="sms://838383" to="twitter://foo">
	    <body>Fish &amp; chips</body>
	    <property name="retries" value="2"/>
	  </message>
	</messages>`)
	msgs, err := qst.Decode(qst.XML, "", body, qst.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(msgs[0].From, msgs[0].Body)
	fmt.Printf("%s\n", qst.AppendJSON(nil, msgs))
	// Output:
	// sms://838383 Fish & chips
	// [{"from":"sms://838383","to":"twitter://foo","body":"Fish & chips","retries":"2"}]
}

func ExampleDecode_error() {
	body := []byte(`[{"to":"sms://1"}, {"to":"sms://2"}, {"to":"sms://3", "meta":{}}]`)
	_, err := qst.Decode(qst.JSON, "", body, qst.Limits{})
	fmt.Println(err)
	fmt.Println(errors.Is(err, qst.ErrMalformed))
	// Output:
	// message 3: property "meta" is an object
	// true
}

func ExampleAppendXML() {
	msgs := []qst.Message{{
		ID: "1", To: "sms://838383", Body: "1 < 2",
		Properties: []qst.Property{{Name: "tag", Array: true, Values: []qst.Value{{Text: "a"}, {Text: "b"}}}},
	}}
	fmt.Printf("%s\n", qst.AppendXML(nil, msgs))
	// Output:
	// <messages><message id="1" to="sms://838383"><body>1 &lt; 2</body><property name="tag" value="a"/><property name="tag" value="b"/></message></messages>
}

func ExampleSniff() {
	f, err := qst.Sniff([]byte("\n  <messages/>"))
	fmt.Println(f, err)
	// Output: xml <nil>
}

func ExampleParseMediaType() {
	f, charset, err := qst.ParseMediaType("text/xml; charset=ISO-8859-1")
	fmt.Println(f, charset, err)
	// Output: xml ISO-8859-1 <nil>
}

func ExampleParseETag() {
	// As it comes back through a proxy that compressed the answer.
	e, ok := qst.ParseETag(`W/"0123456789abcdef-1700000000000-42-gzip"`)
	fmt.Println(e, ok)
	// Output: "0123456789abcdef-1700000000000-42" true
}

func ExampleMessage_Digest() {
	asXML, _ := qst.Decode(qst.XML, "", []byte(`<messages><message id="1" to="sms://1"><property name="n" value="2"/></message></messages>`), qst.Limits{})
	asJSON, _ := qst.Decode(qst.JSON, "", []byte(`{"n": 2, "to": "sms://1", "id": "1"}`), qst.Limits{})
	fmt.Println(asXML[0].Digest() == asJSON[0].Digest())
	// Output: true
}

func ExampleMessage_Has() {
	msgs, _ := qst.Decode(qst.JSON, "", []byte(`{"to": "sms://1", "when": ""}`), qst.Limits{})
	fmt.Println(msgs[0].Has(qst.FieldWhen), msgs[0].Has(qst.FieldSubject))
	// Output: true false
}

func ExampleAppendResult() {
	fmt.Printf("%s\n", qst.AppendResult(nil, qst.XML, qst.Result{Accepted: 2, Duplicates: 1}))
	// Output: <result accepted="2" duplicates="1"/>
}

func ExampleAppendFromCanonical() {
	msgs := []qst.Message{{ID: "1", To: "sms://1", Body: "<3"}, {ID: "2", Properties: []qst.Property{
		{Name: "tag", Values: []qst.Value{{Text: "a"}}}, {Name: "tag", Values: []qst.Value{{Text: "b"}}},
	}}}
	var stored []string
	for i := range msgs {
		stored = append(stored, string(msgs[i].AppendCanonical(nil)))
	}
	for _, f := range []qst.Format{qst.JSON, qst.XML} {
		batch, err := qst.AppendFromCanonical(nil, f, stored)
		fmt.Printf("%s %v\n", batch, err)
	}
	// Output:
	// [{"id":"1","to":"sms://1","body":"<3"},{"id":"2","tag":["a","b"]}] <nil>
	// <messages><message id="1" to="sms://1"><body>&lt;3</body></message><message id="2"><property name="tag" value="a"/><property name="tag" value="b"/></message></messages> <nil>
}
