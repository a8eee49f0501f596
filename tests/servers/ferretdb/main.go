// A small server of MongoDB's protocol for the tests marked "mongo": FerretDB 1 on SQLite, embedded.
//
// FerretDB's own command panics when it is built as a dependency (it wants a generated version file);
// its embeddable package does not, and it sends no telemetry.
//
// Use: server ADDRESS FOLDER, for example: server 127.0.0.1:27217 data
package main

import (
	"context"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("use: server ADDRESS FOLDER")
	}
	if err := os.MkdirAll(os.Args[2], 0o700); err != nil {
		log.Fatal(err)
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: os.Args[1]},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Handler:   "sqlite",
		SQLiteURL: "file:" + os.Args[2] + "/",
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log.Print("ready at ", server.MongoDBURI())
	if err := server.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
