package qst

import (
	"encoding/json"
	"encoding/xml"
	"slices"
	"testing"
)

func TestReceipt(t *testing.T) {
	t.Parallel()
	ids := []string{"a", `"<&>'` + "\t\n\r", "", "ä\u2028"}
	got := AppendReceipt([]byte("x"), JSON, Result{3, 1}, ids)
	var fromJSON struct {
		Accepted, Duplicates int
		IDs                  []string
	}
	if err := json.Unmarshal(got[1:], &fromJSON); err != nil || got[0] != 'x' || fromJSON.Accepted != 3 || fromJSON.Duplicates != 1 || !slices.Equal(fromJSON.IDs, ids) {
		t.Errorf("%s: %+v %v", got, fromJSON, err)
	}
	got = AppendReceipt([]byte("x"), XML, Result{3, 1}, ids)
	var fromXML struct {
		Accepted   int `xml:"accepted,attr"`
		Duplicates int `xml:"duplicates,attr"`
		Message    []struct {
			ID string `xml:"id,attr"`
		} `xml:"message"`
	}
	if err := xml.Unmarshal(got[1:], &fromXML); err != nil || got[0] != 'x' || fromXML.Accepted != 3 || fromXML.Duplicates != 1 || len(fromXML.Message) != len(ids) {
		t.Fatalf("%s: %+v %v", got, fromXML, err)
	}
	for i, id := range ids {
		if fromXML.Message[i].ID != id {
			t.Errorf("id %d: %q, want %q", i, fromXML.Message[i].ID, id)
		}
	}
	if got := string(AppendReceipt(nil, JSON, Result{}, nil)); got != `{"accepted":0,"duplicates":0,"ids":[]}` {
		t.Error(got)
	}
	if got := string(AppendReceipt(nil, XML, Result{}, nil)); got != `<result accepted="0" duplicates="0"/>` {
		t.Error(got)
	}
}
