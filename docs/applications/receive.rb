#!/usr/bin/env ruby
# receive.rb URL FILE: appends each message of a channel to FILE, once, as a line of JSON.
# QST_USER and QST_PASSWORD are the credentials. FILE.etag keeps the place. Ruby 3.0 or newer.
require "json"
require "net/http"

url, path = ARGV
out = File.open(path, "a+b")
whole = out.read
whole = whole[0, (whole.rindex("\n") || -1) + 1]
out.truncate(whole.bytesize) # what a crash cut short comes again
seen = whole.force_encoding("UTF-8").split("\n").tally # a long-lived program keeps the newest some thousand
seen.default = 0
etag = File.exist?("#{path}.etag") ? File.read("#{path}.etag") : ""
failures = 0
loop do
  query = { "format" => "json", "long-polling" => "true", "wait" => "50" }
  query["etag"] = etag unless etag.empty?
  uri = URI("#{url}?#{URI.encode_www_form(query)}")
  hint = 0
  begin
    request = Net::HTTP::Get.new(uri, "Accept-Encoding" => "identity")
    request.basic_auth(ENV["QST_USER"], ENV["QST_PASSWORD"]) unless ENV["QST_USER"].to_s.empty?
    answer = Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == "https", read_timeout: 90, max_retries: 0) { |http| http.request(request) }
    status = answer.code.to_i
    abort "stopped: #{status} #{answer.body}" if status.between?(300, 499) # credentials, the URL: a person has to look
    hint = answer["Retry-After"].to_i
    text = answer.body.to_s.force_encoding("UTF-8")
    raise text unless status == 200 && JSON.parse(text).is_a?(Array) # which complains of half an answer
    # The messages as they are written: parsed, a number loses digits. A message has no object in it.
    messages = text.scan(/\{(?:"(?:[^"\\]|\\.)*"|[^"}])*\}/m)
  rescue StandardError
    sleep(rand * [30, 0.2 * 2**[failures += 1, 10].min].min + hint)
    next
  end
  failures = 0
  here = Hash.new(0)
  messages.each do |line|
    line = line.tr("\n", " ")
    next unless (here[line] += 1) > seen[line]
    out.write(line, "\n") # here is where a message is handled
    seen[line] += 1
  end
  out.fsync
  next if messages.empty?
  etag = answer["ETag"] # handled first, then confirmed: the next request brings the ETag
  File.open("#{path}.etag.new", "w") { |f| f.write(etag) && f.fsync }
  File.rename("#{path}.etag.new", "#{path}.etag")
end
