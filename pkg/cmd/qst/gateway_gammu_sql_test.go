package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// sqlSMSD is the real Gammu SMSD with a database, its bridge's configuration, and what it calls.
type sqlSMSD struct {
	*smsd

	database, config string
}

func startSQL(t *testing.T, c *channel) *sqlSMSD {
	t.Helper()
	dir := t.TempDir()
	s := &sqlSMSD{database: filepath.Join(dir, "smsd.db"), config: filepath.Join(dir, "gammu.toml")}
	inject := gatewayProgram(t, "gammu-smsd-inject")
	drivers, err := filepath.Glob(filepath.Join(filepath.Dir(inject), "usr", "lib", "*", "dbd"))
	if err != nil || len(drivers) != 1 {
		t.Fatalf("libdbd-sqlite3's drivers are not beside %s: %v", inject, err)
	}
	schema, err := os.ReadFile(filepath.Join(filepath.Dir(inject), "usr", "share", "doc", "gammu-smsd", "examples", "sqlite.sql"))
	if err != nil { // the machine has the package
		if schema, err = os.ReadFile("/usr/share/doc/gammu-smsd/examples/sqlite.sql"); err != nil {
			t.Fatal(err)
		}
	}
	s.query(t, string(schema))
	var calls string
	for _, called := range []string{"received", "sent"} {
		script := filepath.Join(dir, called+".sh")
		if err := os.WriteFile(script, []byte("#!/bin/sh\nexec "+program+" gateway gammu --config "+s.config+" --"+called+" \"$@\"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		calls += map[string]string{"received": "runonreceive", "sent": "runonsent"}[called] + " = " + script + "\n"
	}
	s.smsd = startSMSDOf(t, dir, "sql", fmt.Sprintf("driver = sqlite3\ndriverspath = %s\ndatabase = smsd.db\ndbdir = %s\n", drivers[0], dir)+calls)
	config := c.config + fmt.Sprintf("[gammu]\nsmsdrc = %q\npoll = \"50ms\"\nsend = \"inject\"\ninject = %q\n", s.rc, inject)
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// query asks the database, and returns the rows.
func (s *sqlSMSD) query(t *testing.T, sql string) (rows []map[string]any) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), gatewayProgram(t, "sqlite3"), "-json", "-cmd", ".timeout 20000", s.database)
	cmd.Stdin = strings.NewReader(sql)
	out, err := cmd.CombinedOutput()
	if err == nil && len(out) > 0 {
		err = json.Unmarshal(out, &rows)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return rows
}

// texts returns what the device was given for each number: a text for each time.
func (s *sqlSMSD) texts(t *testing.T) map[string][]string {
	t.Helper()
	texts := map[string][]string{}
	for _, row := range s.query(t, `SELECT DestinationNumber AS number, group_concat(Text, '') AS text FROM
		(SELECT ID, DestinationNumber, Text FROM sentitems ORDER BY ID, SequencePosition) GROUP BY ID, DestinationNumber`) {
		number, _ := row["number"].(string)
		digits, _ := row["text"].(string)
		content, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		var units []uint16
		for i := 0; i+1 < len(content); i += 2 {
			units = append(units, uint16(content[i])<<8|uint16(content[i+1]))
		}
		texts[number] = append(texts[number], string(utf16.Decode(units)))
	}
	return texts
}

// With a database for SMSD texts go through it by gammu-smsd-inject, and come by RunOnReceive.
func TestGatewayGammuSQL(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	s := startSQL(t, c)
	if r := command(t, "gateway", "gammu", "--config", s.config, "--check"); r.code != exitOK {
		t.Fatalf("exit code %d: %s %s", r.code, r.out, r.stderr)
	}
	// Another program's texts are none of the bridge's.
	other := exec.CommandContext(t.Context(), gatewayProgram(t, "gammu-smsd-inject"), "-c", s.rc, "TEXT", "+85512999999", "-text", "of another program")
	if out, err := other.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	stop := startBridge(t, "gateway", "gammu", "--config", s.config)
	bodies := []string{"Fish & chips\n@ £5 {€6}\n", " ជំរាបសួរ 🙂", strings.Repeat("វែងណាស់ 🙂 ", 30), strings.Repeat("long ", 300), "-text", "two ends\n\n"}
	c.push(t, bodies)
	eventually(t.Context(), t, "what became of them", func() bool { return c.got.reported("sent") == len(bodies) })
	s.receive(t, 1, bodies[1])
	s.receive(t, 2, bodies[2])
	eventually(t.Context(), t, "the messages", func() bool { return c.got.received() == 2 })
	c.got.wantEach(t, bodies[1:3])
	stop()
	texts := s.texts(t)
	for i, body := range bodies {
		if got := texts[fmt.Sprintf("+8551%06d", i)]; len(got) != 1 || got[0] != body {
			t.Errorf("text %d: %q", i, got)
		}
	}
	if rows := s.query(t, `SELECT DISTINCT Coding FROM sentitems WHERE DestinationNumber IN ('+8551000000', '+8551000003', '+8551000004', '+8551000005')`); len(rows) != 1 || rows[0]["Coding"] != "Default_No_Compression" {
		t.Errorf("texts in GSM's alphabet were sent in another: %v", rows)
	}
	if left, err := os.ReadDir(filepath.Join(c.state, "injected")); err != nil || len(left) > 0 {
		t.Errorf("%d texts are left, %v", len(left), err)
	}
	if r := command(t, "gateway", "gammu", "--config", s.config, "--sent", "../x"); r.code != exitUsage {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

// Bridges that are killed lose nothing, and count what may be sent twice.
func TestGatewayGammuSQLStorm(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	s := startSQL(t, c)
	all := texts(t, 12)
	c.push(t, all)
	for i, text := range all[:4] {
		s.receive(t, i, "in "+text)
	}
	said := storm(t, 200*time.Millisecond, 2*time.Second, []string{"gateway", "gammu", "--config", s.config}, func() bool {
		return c.got.reported("sent") == len(all) && c.got.received() == 4
	})
	counted, doubles := strings.Count(said, "handed over, maybe a second time"), 0
	sent := s.texts(t)
	for i, text := range all {
		got := sent[fmt.Sprintf("+8551%06d", i)]
		for _, one := range got {
			if one != text {
				t.Errorf("text %d: %q", i, one)
			}
		}
		if len(got) == 0 {
			t.Errorf("text %d is not sent", i)
		}
		doubles += max(0, len(got)-1)
	}
	t.Logf("%d texts were handed over again, %d of them sent twice", counted, doubles)
	if doubles > counted {
		t.Errorf("%d texts were sent twice, and %d counted", doubles, counted)
	}
}

// The check says what a configuration for any backend lacks.
func TestGatewayGammuInjectCheck(t *testing.T) {
	t.Parallel()
	rc := write(t, "smsdrc", "[smsd]\nservice = sql\n")
	config := func(more string) string {
		return write(t, "gammu.toml", fmt.Sprintf("[qst]\nurl = \"http://127.0.0.1:9/v2/channels/people/gateway\"\n[bridge]\nstate = %q\n[gammu]\nsmsdrc = %q\n%s", t.TempDir(), rc, more))
	}
	r := command(t, "gateway", "gammu", "--config", config("send = \"inject\"\ninject = \"/nowhere/inject\"\n"), "--check")
	for _, want := range []string{"/nowhere/inject", "set runonsent to: qst gateway gammu --sent", "set runonreceive to: qst gateway gammu --received"} {
		if r.code != exitFindings || !strings.Contains(r.out, want) {
			t.Errorf("exit code %d, does not say %q: %s", r.code, want, r.out)
		}
	}
	if r := command(t, "gateway", "gammu", "--config", config(""), "--check"); !strings.Contains(r.out, "for another one set send") {
		t.Errorf("does not say what to do with service = sql: %s", r.out)
	}
	if r := command(t, "gateway", "gammu", "--config", config("send = \"sql\"\n"), "--check"); r.code != exitUsage || !strings.Contains(r.stderr, `send = "sql"`) {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}
