package candlelake;

import io.delta.storage.HadoopFileSystemLogStore;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.Iterator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Creates a version of a table in S3 only where there is none: S3 itself refuses the second writer.
 *
 * <p>Delta's own store for S3 looks first and writes then; a driver that is paused between the two puts
 * its version in the place of another's. Here the write carries the condition (If-None-Match). It takes
 * S3A of Hadoop 3.4.2; an older one does not know the option and refuses to create the file at all.
 */
public final class ConditionalLogStore extends HadoopFileSystemLogStore {
    private static final String CONDITION = "fs.option.create.conditional.overwrite";
    private static final String REFUSED = "Status Code: 412";
    /** Another request to the same name was under way; nothing is written, and S3 asks for another try. */
    private static final String IN_CONFLICT = "Status Code: 409";
    private static final int TRIES = 5;
    private static final long PAUSE_MILLIS = 200;

    /** Called by Delta, by name. */
    public ConditionalLogStore(Configuration hadoopConf) {
        super(hadoopConf);
    }

    @Override
    public void write(Path path, Iterator<String> actions, Boolean overwrite, Configuration hadoopConf)
            throws IOException {
        final FileSystem fs = path.getFileSystem(hadoopConf);
        // whole before the file is opened: closing one that is half written would create it so
        final byte[] content = joined(actions);
        if (overwrite) {
            put(fs.create(path, true), content);
            return;
        }
        // one that is there already is the usual case of two writers: told at once, without a write
        if (fs.exists(path)) {
            throw new FileAlreadyExistsException(path.toString());
        }
        for (int tries = 1; !isCreated(fs, path, content, tries); tries++) {
            pause(tries);
        }
    }

    @Override
    public Boolean isPartialWriteVisible(Path path, Configuration hadoopConf) {
        return false;
    }

    private static byte[] joined(Iterator<String> actions) {
        final StringBuilder lines = new StringBuilder();
        actions.forEachRemaining(action -> lines.append(action).append('\n'));
        return lines.toString().getBytes(StandardCharsets.UTF_8);
    }

    /** Returns whether the version stands; where it may be tried again it does not, and no error is raised. */
    private static boolean isCreated(FileSystem fs, Path path, byte[] content, int tries) throws IOException {
        try {
            final FSDataOutputStreamBuilder<?, ?> builder = fs.createFile(path);
            builder.recursive();
            builder.overwrite(false);
            builder.must(CONDITION, true);
            put(builder.build(), content);
            return true;
        } catch (IOException error) {
            if (says(error, REFUSED)) {
                throw new FileAlreadyExistsException(path.toString());
            }
            if (tries < TRIES && says(error, IN_CONFLICT)) {
                return false;
            }
            throw error;
        }
    }

    private static void pause(int tries) throws IOException {
        try {
            Thread.sleep(tries * PAUSE_MILLIS);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("a commit was ended while it waited to be tried again");
        }
    }

    private static void put(FSDataOutputStream stream, byte[] content) throws IOException {
        try (stream) {
            stream.write(content);
        }
    }

    private static boolean says(Throwable error, String answer) {
        for (Throwable one = error; one != null; one = one.getCause()) {
            if (one.getMessage() != null && one.getMessage().contains(answer)) {
                return true;
            }
        }
        return false;
    }
}
