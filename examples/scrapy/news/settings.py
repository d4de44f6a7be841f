"""The settings of the project; the last three lines are all that the filter needs."""

BOT_NAME = "news"
SPIDER_MODULES = ["news.spiders"]
ROBOTSTXT_OBEY = True

ITEM_PIPELINES = {"trainer.integrations.scrapy.ParagraphFilterPipeline": 300}
TRAINER_FIELD = "text"
TRAINER_REMOVED_FIELD = "removed"
