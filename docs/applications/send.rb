#!/usr/bin/env ruby
# send.rb URL FILE: sends each message of FILE, a line of JSON with an "id" each, and ends.
# QST_USER and QST_PASSWORD are the credentials. FILE.sent keeps how many were stored: called
# again, it goes on. The ids are in the file before anything is sent, so that the service knows
# a message that it is sent again. Ruby 3.0 or newer.
require "json"
require "net/http"

url, path = ARGV
uri = URI(url)
lines = File.binread(path).split("\n", -1)[0...-1] # what has no line end is not written to its end
sent = File.exist?("#{path}.sent") ? File.read("#{path}.sent").to_i : 0
failures = 0
most = 500
while sent < lines.size
  batch = lines[sent, most]
  batch = batch[0, batch.size / 2] while batch.size > 1 && batch.sum(&:bytesize) > 1_000_000
  status = hint = 0
  begin
    request = Net::HTTP::Post.new(uri, "Content-Type" => "application/json", "Accept-Encoding" => "identity")
    request.basic_auth(ENV["QST_USER"], ENV["QST_PASSWORD"]) unless ENV["QST_USER"].to_s.empty?
    request.body = "[#{batch.join(",")}]"
    answer = Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == "https", read_timeout: 75, max_retries: 0) { |http| http.request(request) }
    status = answer.code.to_i
    hint = answer["Retry-After"].to_i
    if status == 200
      result = JSON.parse(answer.body) # which complains of half an answer, and of a page that is not the service's
      raise answer.body unless result["accepted"] + result["duplicates"] == batch.size
    end
  rescue StandardError
    status = 0
  end
  case status
  when 200
    most = 500
  when 400, 413, 415 # one of them can never be taken: find out which
    if batch.size > 1
      most = batch.size / 2
      next
    end
    warn "refused: #{answer.body} #{batch[0]}"
  when 300..499 # credentials, the URL: a person has to look
    abort "stopped: #{status} #{answer.body}"
  else # this may pass, or nobody answered: the same again
    sleep(rand * [30, 0.2 * 2**[failures += 1, 10].min].min + hint)
    next
  end
  failures = 0
  File.open("#{path}.new", "w") { |f| f.write(sent += batch.size) && f.fsync }
  File.rename("#{path}.new", "#{path}.sent")
end
