"""Read a table's whole stream from an engine, in the form in which records reach a Lambda function."""

from collections.abc import Iterator
from typing import Any

from infra.local.aws import local_client
from tests.support.aws.dynamodb_client import plain_client
from tests.support.aws.engines import Table


def records_of(table: Table) -> Iterator[dict[str, Any]]:
    """Yield every record of a table's stream in order."""
    arn = plain_client(table.endpoint_url).describe_table(TableName=table.name)["Table"]["LatestStreamArn"]
    streams = local_client("dynamodbstreams", table.endpoint_url, validate=False)
    shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    for shard in shards:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            page = streams.get_records(ShardIterator=iterator, Limit=1000)
            for record in page["Records"]:
                at = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
                yield {**record, "dynamodb": {**record["dynamodb"], "ApproximateCreationDateTime": at}}
            iterator = page.get("NextShardIterator") if page["Records"] else None
