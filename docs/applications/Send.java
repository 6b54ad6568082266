// java Send.java URL FILE: sends each message of FILE, a line of JSON with an "id" each, and ends.
// QST_USER and QST_PASSWORD are the credentials. FILE.sent keeps how many were stored: called
// again, it goes on. The ids are in the file before anything is sent, so that the service knows
// a message that it is sent again. Java 17 or newer.
import java.net.URI;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;

class Send {
    // stored tells whether an answer is the service's, about n messages.
    static boolean stored(String answer, int n) {
        var result = java.util.regex.Pattern.compile("\\s*\\{\"accepted\":(\\d{1,9}),\"duplicates\":(\\d{1,9})\\}\\s*").matcher(answer);
        return result.matches() && Integer.parseInt(result.group(1)) + Integer.parseInt(result.group(2)) == n;
    }

    public static void main(String[] args) throws Exception {
        Path file = Path.of(args[1]), place = Path.of(args[1] + ".sent"), next = Path.of(args[1] + ".new");
        String user = System.getenv().getOrDefault("QST_USER", ""), password = System.getenv().getOrDefault("QST_PASSWORD", "");
        // Bytes, a character each: what is sent is what is in the file.
        String all = Files.readString(file, StandardCharsets.ISO_8859_1);
        List<String> lines = Arrays.asList(all.split("\n", -1));
        lines = lines.subList(0, lines.size() - 1); // what has no line end is not written to its end
        int sent = Files.exists(place) ? Integer.parseInt(Files.readString(place).strip()) : 0;
        // It follows no redirects: a POST would become a GET, which takes messages.
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(10)).build();
        for (int failures = 0, most = 500; sent < lines.size();) {
            List<String> batch = lines.subList(sent, Math.min(sent + most, lines.size()));
            while (batch.size() > 1 && batch.stream().mapToInt(String::length).sum() > 1_000_000) batch = batch.subList(0, batch.size() / 2);
            byte[] body = ("[" + String.join(",", batch) + "]").getBytes(StandardCharsets.ISO_8859_1);
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(args[0])).timeout(Duration.ofSeconds(75))
                .header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofByteArray(body));
            if (!user.isEmpty()) request.header("Authorization", "Basic " + Base64.getEncoder().encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8)));
            HttpResponse<String> answer = null;
            try {
                answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
            } catch (java.io.IOException e) { // no answer, or half of one
            }
            int status = answer == null ? 0 : answer.statusCode();
            boolean never = status == 400 || status == 413 || status == 415;
            if (never && batch.size() > 1) {
                most = batch.size() / 2; // one of them can never be taken: find out which
                continue;
            } else if (never) {
                System.err.println("refused: " + answer.body() + " " + new String(body, StandardCharsets.UTF_8));
            } else if (status >= 300 && status < 500) { // credentials, the URL: a person has to look
                System.err.println("stopped: " + status + " " + answer.body());
                System.exit(1);
            } else if (status != 200 || !stored(answer.body(), batch.size())) { // this may pass: the same again
                double hint = answer == null ? 0 : Double.parseDouble("0" + answer.headers().firstValue("Retry-After").orElse("").replaceAll("\\D.*", ""));
                Thread.sleep((long) (1000 * (hint + Math.random() * Math.min(30, 0.2 * Math.pow(2, Math.min(++failures, 10))))));
                continue;
            } else {
                most = 500;
            }
            failures = 0;
            sent += batch.size();
            try (var f = FileChannel.open(next, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
                f.write(ByteBuffer.wrap(Integer.toString(sent).getBytes(StandardCharsets.UTF_8)));
                f.force(true);
            }
            Files.move(next, place, StandardCopyOption.ATOMIC_MOVE);
        }
    }
}
