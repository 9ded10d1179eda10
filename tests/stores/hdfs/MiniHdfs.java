import java.io.File;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.MiniDFSCluster;

/** Hadoop's own test cluster: a real NameNode and one DataNode in this process, until it is killed. */
public class MiniHdfs {
  /** @param arguments a folder for the data, and the NameNode's port */
  public static void main(String[] arguments) throws Exception {
    Configuration configuration = new Configuration();
    configuration.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, new File(arguments[0]).getAbsolutePath());
    configuration.setBoolean("dfs.permissions.enabled", false);
    configuration.setInt("dfs.replication", 1);
    configuration.set("dfs.namenode.safemode.extension", "0");
    MiniDFSCluster cluster = new MiniDFSCluster.Builder(configuration)
        .nameNodePort(Integer.parseInt(arguments[1]))
        .numDataNodes(1)
        .build();
    cluster.waitActive();
    System.out.println("READY " + cluster.getFileSystem().getUri());
    System.out.flush();
    Thread.sleep(Long.MAX_VALUE);
  }
}
