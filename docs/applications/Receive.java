// java Receive.java URL FILE: appends each message of a channel to FILE, once, as a line of JSON.
// QST_USER and QST_PASSWORD are the credentials. FILE.etag keeps the place. Java 17 or newer.
import java.io.RandomAccessFile;
import java.net.*;
import java.net.http.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;

class Receive {
    // messages returns those of a batch as they are written, null if it is none, or half of one. A message
    // has no object in it.
    static List<String> messages(String text) {
        List<String> messages = new ArrayList<>();
        boolean string = false;
        int start = -1;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (string && c == '\\') i++;
            else if (c == '"') string = !string;
            else if (!string && c == '{') start = i;
            else if (!string && c == '}') {
                messages.add(text.substring(start, i + 1).replace('\n', ' '));
                start = -1;
            }
        }
        return text.strip().matches("(?s)\\[.*\\]") && !string && start < 0 ? messages : null;
    }

    public static void main(String[] args) throws Exception {
        Path file = Path.of(args[1]), place = Path.of(args[1] + ".etag"), next = Path.of(args[1] + ".etag.new");
        String user = System.getenv().getOrDefault("QST_USER", ""), password = System.getenv().getOrDefault("QST_PASSWORD", "");
        RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw");
        byte[] before = new byte[(int) out.length()];
        out.readFully(before);
        int end = before.length;
        while (end > 0 && before[end - 1] != '\n') end--;
        out.setLength(end); // what a crash cut short comes again
        out.seek(end);
        Map<String, Integer> seen = new HashMap<>(); // lines, and how often; a long-lived program keeps the newest some thousand
        new String(before, 0, end, StandardCharsets.UTF_8).lines().forEach(line -> seen.merge(line, 1, Integer::sum));
        String etag = Files.exists(place) ? Files.readString(place) : "";
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(10)).build();
        for (int failures = 0;;) {
            String query = "?format=json&long-polling=true&wait=50" + (etag.isEmpty() ? "" : "&etag=" + URLEncoder.encode(etag, StandardCharsets.UTF_8));
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(args[0] + query)).timeout(Duration.ofSeconds(90));
            if (!user.isEmpty()) request.header("Authorization", "Basic " + Base64.getEncoder().encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8)));
            HttpResponse<String> answer = null;
            try {
                answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
            } catch (java.io.IOException e) { // no answer, or half of one
            }
            int status = answer == null ? 0 : answer.statusCode();
            if (status >= 300 && status < 500) { // credentials, the URL: a person has to look
                System.err.println("stopped: " + status + " " + answer.body());
                System.exit(1);
            }
            List<String> messages = status == 200 ? messages(answer.body()) : null;
            if (messages == null) {
                double hint = answer == null ? 0 : Double.parseDouble("0" + answer.headers().firstValue("Retry-After").orElse("").replaceAll("\\D.*", ""));
                Thread.sleep((long) (1000 * (hint + Math.random() * Math.min(30, 0.2 * Math.pow(2, Math.min(++failures, 10))))));
                continue;
            }
            failures = 0;
            Map<String, Integer> here = new HashMap<>();
            for (String line : messages) {
                if (here.merge(line, 1, Integer::sum) <= seen.getOrDefault(line, 0)) continue;
                out.write((line + "\n").getBytes(StandardCharsets.UTF_8)); // here is where a message is handled
                seen.merge(line, 1, Integer::sum);
            }
            out.getFD().sync();
            if (!messages.isEmpty()) { // handled first, then confirmed: the next request brings the ETag
                etag = answer.headers().firstValue("ETag").orElse("");
                try (var f = java.nio.channels.FileChannel.open(next, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
                    f.write(java.nio.ByteBuffer.wrap(etag.getBytes(StandardCharsets.UTF_8)));
                    f.force(true);
                }
                Files.move(next, place, StandardCopyOption.ATOMIC_MOVE);
            }
        }
    }
}
