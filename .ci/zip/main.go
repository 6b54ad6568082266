// Command zip packs the files of a folder into a zip archive, with one time for all, so that the same
// files give the same archive. usage: zip FOLDER ARCHIVE SECONDS
package main

import (
	"archive/zip"
	"errors"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: zip FOLDER ARCHIVE SECONDS")
	}
	if err := pack(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func pack(dir, archive, epoch string) error {
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return err
	}
	files, err := os.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	out, err := os.Create(archive)
	if err != nil {
		return err
	}
	w := zip.NewWriter(out)
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			return err
		}
		entry, err := w.CreateHeader(&zip.FileHeader{Name: file.Name(), Method: zip.Deflate, Modified: time.Unix(seconds, 0).UTC()})
		if err != nil {
			return err
		}
		if _, err := entry.Write(content); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), out.Close())
}
